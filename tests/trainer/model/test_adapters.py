"""LoRA lands on the layers asked for, starts from the seed, and goes on from an earlier adapter."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from peft.tuners.lora import LoraLayer

from tests.trainer.model.building import by_peft, computed, load, train
from trainer.model.errors import ModelError
from trainer.model.parts import is_lora, trainable_parameters
from trainer.model.weights import adapter_tensors, save_weights
from trainer.run.events import AnyEvent, Notice


def adapted(model: Any) -> set[str]:
    prefix = "base_model.model."
    return {
        name.removeprefix(prefix).split(".lora_")[0]
        for name in adapter_tensors(model)
        if is_lora(name)
    }


def kinds(model: Any) -> set[str]:
    return {name.rsplit(".", 1)[-1] for name in adapted(model)}


@pytest.mark.parametrize(
    ("tune", "count", "expected"),
    [
        ({}, 28, {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        ({"targets": ("q_proj", "mlp.up_proj")}, 8, {"q_proj", "up_proj"}),
        ({"language": "frozen", "aligner": "lora"}, 8, {"linear_fc1", "linear_fc2"}),
        ({"language": "frozen", "vision": "lora"}, 16, {"qkv", "proj", "linear_fc1", "linear_fc2"}),
        ({"vision": "lora", "targets": r".*\.(qkv|v_proj)"}, 8, {"qkv", "v_proj"}),
        ({"targets": r".*layers\.[23]\.self_attn\.q_proj"}, 2, {"q_proj"}),
    ],
)
def test_lora_is_on_exactly_the_layers_asked_for(
    tiny_checkpoint: Path, tune: dict[str, Any], count: int, expected: set[str]
):
    model = load(tiny_checkpoint, tune)
    assert kinds(model) == expected
    assert len(adapted(model)) == count


def test_all_linear_keeps_off_frozen_parts_and_the_head(tiny_checkpoint: Path):
    names = adapted(load(tiny_checkpoint, {"targets": "all-linear"}))
    assert len(names) == 28
    assert all(name.startswith("model.language_model.layers.") for name in names)


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_the_pattern_of_the_adapter_is_short_and_matches_nothing_else(
    families: dict[str, Path], family: str
):
    model = load(families[family], {"vision": "lora", "aligner": "lora"})
    pattern = model.active_peft_config.target_modules
    assert isinstance(pattern, str)
    assert len(pattern) < 1000
    base = model.get_base_model()
    matched = {
        name
        for name, _ in base.named_modules()
        if re.fullmatch(pattern, name) and "lora" not in name
    }
    assert matched == adapted(model)


@pytest.mark.parametrize(
    ("tune", "problem"),
    [
        ({"targets": ("q_proj", "p_proj")}, "p_proj; there are .*q_proj"),
        ({"targets": "no_such_layer"}, "picks no linear layer of the language part"),
        ({"targets": "(", "vision": "lora"}, "no regular expression"),
        ({"targets": r".*q_proj", "vision": "lora"}, "vision part.*set tune.vision=frozen"),
    ],
)
def test_targets_that_miss_are_refused(tiny_checkpoint: Path, tune: dict[str, Any], problem: str):
    with pytest.raises(ModelError, match=problem):
        load(tiny_checkpoint, tune)


def test_the_start_follows_from_the_seed_and_leaves_the_global_state_alone(tiny_checkpoint: Path):
    def start(seed: int) -> dict[str, torch.Tensor]:
        return dict(trainable_parameters(load(tiny_checkpoint, {"vision": "lora"}, seed=seed)))

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    once = start(0)
    assert torch.equal(torch.rand(3), expected)
    again, other = start(0), start(1)
    for name, weight in once.items():
        assert torch.equal(weight, again[name])
        assert torch.equal(weight, other[name]) is (".lora_B." in name)
        if ".lora_A." in name:  # uniform, as PEFT draws it
            bound = weight.shape[1] ** -0.5
            assert 0.9 * bound < weight.abs().max() <= bound


def test_layers_of_peft_take_bf16_as_it_comes_and_compute_the_very_same(tiny_checkpoint: Path):
    model = by_peft(load(tiny_checkpoint, {"dropout": 0.0}, dtype="bf16"))  # as compiled code does
    layers = [it for it in model.modules() if isinstance(it, LoraLayer)]
    generator = torch.Generator().manual_seed(0)
    for weight in trainable_parameters(model).values():  # B is zero at the start
        weight.data = torch.randn(weight.shape, generator=generator) * 0.05
    given: list[torch.dtype] = []
    for layer in layers:
        layer.lora_A["default"].register_forward_pre_hook(
            lambda _module, inputs: given.append(inputs[0].dtype)
        )

    ours = computed(model)
    assert set(given) == {torch.bfloat16}
    for layer in layers:
        layer.cast_input_dtype_enabled = True
    peft = computed(model)
    assert set(given) == {torch.bfloat16, torch.float32}
    assert ours.keys() == peft.keys()
    assert all(torch.equal(peft[name], value) for name, value in ours.items())


def earlier_adapter(folder: Path, out: Path, tune: dict[str, Any]) -> Path:
    model = load(folder, tune, seed=3)
    train(model)
    return save_weights(model, out)


def test_a_second_stage_starts_from_the_first_and_says_what_is_new(
    tiny_checkpoint: Path, tmp_path: Path
):
    stage_1 = load(tiny_checkpoint, {"aligner": "lora", "language": "frozen"})
    train(stage_1)
    folder = save_weights(stage_1, tmp_path)
    events: list[AnyEvent] = []
    model = load(tiny_checkpoint, {"aligner": "lora"}, events.append, adapter=str(folder))
    own = adapter_tensors(model)
    for name, weight in adapter_tensors(stage_1).items():
        assert torch.equal(own[name], weight)
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert "56 weights it does not have start fresh" in notice.message
    fresh = load(tiny_checkpoint, {"aligner": "lora"})
    assert all(
        torch.equal(weight, own[name])
        for name, weight in adapter_tensors(fresh).items()
        if "language_model" in name
    )


def test_a_second_stage_takes_over_fully_trained_parts_too(tiny_checkpoint: Path, tmp_path: Path):
    tune = {"aligner": "full"}
    folder = earlier_adapter(tiny_checkpoint, tmp_path, tune)
    first = load(tiny_checkpoint, tune, adapter=str(folder))
    second = load(tiny_checkpoint, tune, adapter=str(folder), seed=9)
    expected = adapter_tensors(first)
    for name, weight in adapter_tensors(second).items():
        assert torch.equal(weight, expected[name])


@pytest.mark.parametrize(
    ("stage_1", "stage_2", "problem"),
    [
        ({"aligner": "lora"}, {}, "16 weights that tune leaves out.*train aligner the way"),
        ({"aligner": "full"}, {"aligner": "lora"}, "train aligner the way"),
        ({"rank": 8}, {}, "set tune.rank=8"),
        ({"alpha": 8}, {}, "set tune.alpha=8"),
    ],
)
def test_an_adapter_that_would_lose_something_is_refused(
    tiny_checkpoint: Path,
    tmp_path: Path,
    stage_1: dict[str, Any],
    stage_2: dict[str, Any],
    problem: str,
):
    folder = save_weights(load(tiny_checkpoint, stage_1), tmp_path)
    with pytest.raises(ModelError, match=problem):
        load(tiny_checkpoint, stage_2, adapter=str(folder))


def test_an_adapter_of_another_kind_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    folder = save_weights(load(tiny_checkpoint), tmp_path)
    path = folder / "adapter_config.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "use_dora": True}))
    with pytest.raises(ModelError, match="use_dora is True"):
        load(tiny_checkpoint, adapter=str(folder))


def test_a_folder_without_adapter_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    with pytest.raises(ModelError, match=r"no adapter_config\.json"):
        load(tiny_checkpoint, adapter=str(tmp_path))


def test_an_adapter_without_any_lora_part_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    tune = {"vision": "full", "language": "frozen"}
    with pytest.raises(ModelError, match="no part is in lora mode"):
        load(tiny_checkpoint, tune, adapter=str(tmp_path))
