"""What is made again in the backward is what the forward had, and is not kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.model.building import by_peft, computed, kept_by_body, load
from trainer.model import low_rank
from trainer.model.rematerialize import Once, Recipe, noted, recipe_of

EVERYWHERE = {"vision": "lora", "aligner": "lora"}


def as_it_is(tensor: Tensor) -> Recipe:
    """How a tensor is made where nothing is noted on it."""
    return recipe_of(tensor.view_as(tensor))


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "bf16"},
        {"dtype": "bf16", "quantization": "nf4"},
        {"activation_checkpointing": True},
    ],
    ids=["fp32", "bf16", "nf4", "checkpointing"],
)
def test_gradients_are_to_the_bit_those_of_inputs_that_are_kept(
    families: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    dropout: float,
    options: dict[str, Any],
):
    made: list[int] = []

    def count(tensor: Tensor) -> Recipe:
        recipe = recipe_of(tensor)
        made.append(recipe.inputs[0] is not tensor)
        return recipe

    model = load(families[family], {**EVERYWHERE, "dropout": dropout}, **options)
    monkeypatch.setattr(low_rank, "recipe_of", count)
    ours = computed(model)
    assert sum(made) > 0.6 * len(made) > 20
    monkeypatch.setattr(low_rank, "recipe_of", as_it_is)
    kept = computed(model)
    assert len(ours) > 50
    assert all(torch.equal(ours[name], value) for name, value in kept.items())


def bytes_kept(model: Any) -> int:
    """Return what the forward keeps for the backward beside weights."""
    weights = {it.untyped_storage().data_ptr() for it in model.parameters()}
    kept = kept_by_body(model).items()
    return sum(it.untyped_storage().nbytes() for place, it in kept if place not in weights)


@pytest.mark.parametrize("tune", [{}, EVERYWHERE], ids=["language", "everywhere"])
def test_with_dropout_a_model_keeps_half_of_what_it_keeps_by_peft(
    tiny_checkpoint: Path, tune: dict[str, Any]
):
    model = load(tiny_checkpoint, {**tune, "dropout": 0.05})
    ours = bytes_kept(model)
    assert ours < 0.55 * bytes_kept(by_peft(model))


def test_a_tensor_that_was_changed_is_kept_itself():
    x = torch.arange(3.0)
    result = noted(x * 2, Recipe(lambda it: it * 2, (x,)))
    assert recipe_of(result).inputs[0] is x
    assert recipe_of(result[:2]).inputs[0] is not x
    result.add_(1)
    recipe = recipe_of(result)
    assert recipe.make(*recipe.inputs) is result


def test_what_several_ask_for_is_made_once_until_it_is_forgotten():
    calls: list[Tensor] = []

    def make(x: Tensor) -> Tensor:
        calls.append(x)
        return x + 1

    once, x = Once(make), torch.zeros(2)
    assert once(x) is once(x)
    assert len(calls) == 1
    once.forget()
    assert torch.equal(once(x), torch.ones(2))
    assert len(calls) == 2
