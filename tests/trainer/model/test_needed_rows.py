"""The last layer leaves out the rows whose result nobody uses, and nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.model.building import batch, load
from trainer.model.body import base_of, hidden_states
from trainer.objectives.supervised import IGNORED_LABEL, supervised_terms

ROWS = torch.tensor([3, 20, 24, 46])


def rows_seen(model: Any) -> dict[str, list[int]]:
    """How many rows the products of the last two layers are given, call by call."""
    seen: dict[str, list[int]] = {}
    for number, layer in list(enumerate(base_of(model).model.language_model.layers))[-2:]:
        for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj"):
            module = layer.get_submodule(name)
            calls = seen.setdefault(f"{number} {name.rsplit('.', maxsplit=1)[-1]}", [])
            module.register_forward_pre_hook(
                lambda _module, inputs, calls=calls: calls.append(inputs[0][..., 0].numel())
            )
    return seen


@pytest.mark.parametrize("again", ["off", "all"])
def test_products_behind_the_last_attention_see_the_rows_with_a_label(
    tiny_checkpoint: Path, again: str
):
    model = load(tiny_checkpoint, activation_checkpointing=again)
    seen = rows_seen(model)
    inputs = batch(model)  # two samples of 24 tokens
    labels = inputs["input_ids"].clone()
    labels[:, :15] = IGNORED_LABEL
    terms = supervised_terms(model, inputs, labels)
    terms.numerator.backward()
    for name, calls in seen.items():
        number, kind = name.split()
        spared = number == "3" and kind != "q_proj"
        assert calls == [18 if spared else 48] * (2 if again == "all" else 1), name


def hidden_of_rows(model: Any, inputs: dict[str, Tensor], rows: Tensor | None) -> Tensor:
    with torch.no_grad():
        return hidden_states(model, inputs, rows).flatten(0, 1)


def test_rows_that_are_asked_for_are_those_of_a_whole_forward(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"dropout": 0.0})
    inputs = batch(model)
    whole = hidden_of_rows(model, inputs, None)
    found = hidden_of_rows(model, inputs, ROWS)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[ROWS], whole[ROWS], rtol=1e-5, atol=1e-6)
    others = torch.ones(len(whole), dtype=torch.bool).index_fill(0, ROWS, value=False)
    assert (found[others] - whole[others]).abs().max() > 1e-3


def test_a_forward_without_rows_computes_them_all_again(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"dropout": 0.0})
    inputs = batch(model)
    whole = hidden_of_rows(model, inputs, None)
    hidden_of_rows(model, inputs, ROWS)
    assert torch.equal(hidden_of_rows(model, inputs, None), whole)
    last = base_of(model).model.language_model.layers[-1]
    hook = last.register_forward_pre_hook(lambda *_: 1 / 0, prepend=True)
    with pytest.raises(ZeroDivisionError):  # before the last layer took the rows
        hidden_of_rows(model, inputs, ROWS)
    hook.remove()
    assert torch.equal(hidden_of_rows(model, inputs, None), whole)
