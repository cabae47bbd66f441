"""What is frozen stays to the last bit, what is trained moves, and gradients arrive everywhere."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.model.building import load, loss, train, values
from trainer.model.parts import is_lora, part_of, trainable_parameters

MODES = ("frozen", "lora", "full")
FAST = {
    "frozen-frozen-lora",
    "frozen-lora-lora",
    "lora-full-lora",
    "full-frozen-full",
    "full-lora-full",
}
COMBINATIONS = [
    pytest.param(modes, id=name, marks=[] if name in FAST else [pytest.mark.slow])
    for modes in itertools.product(MODES, repeat=3)
    if (name := "-".join(modes)) != "frozen-frozen-frozen"
]
PARTS = ("vision", "aligner", "language")


def check_what_moved(model: Any, before: dict[str, torch.Tensor]) -> None:
    trainable = trainable_parameters(model)
    for name, weight in model.named_parameters():
        same = torch.equal(weight, before[name])
        assert same is (name not in trainable), f"{name} {'did not move' if same else 'moved'}"


@pytest.mark.parametrize("modes", COMBINATIONS)
def test_frozen_parts_stay_to_the_bit_and_trained_ones_move(
    tiny_checkpoint: Path, modes: tuple[str, str, str]
):
    model = load(tiny_checkpoint, dict(zip(PARTS, modes, strict=True)), dtype="bf16")
    before = values(model)
    losses = train(model)
    assert losses[-1] < losses[0]
    check_what_moved(model, before)
    moved = {part_of(name) for name in trainable_parameters(model)}
    assert moved == {part for part, mode in zip(PARTS, modes, strict=True) if mode != "frozen"}


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_quantised_weights_stay_to_the_bit(tiny_checkpoint: Path, quantization: str):
    tune = {"vision": "lora", "aligner": "full"}
    model = load(tiny_checkpoint, tune, dtype="bf16", quantization=quantization)
    before = values(model)
    losses = train(model)
    assert losses[-1] < losses[0]
    check_what_moved(model, before)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize(
    "tune",
    [
        {"vision": "full", "language": "frozen"},
        {"vision": "lora", "aligner": "full"},
        {"vision": "full", "aligner": "full", "language": "full"},
    ],
    ids="-".join,
)
def test_the_older_families_train(families: dict[str, Path], family: str, tune: dict[str, str]):
    model = load(families[family], tune, dtype="bf16", activation_checkpointing=True)
    before = values(model)
    losses = train(model)
    assert losses[-1] < losses[0]
    check_what_moved(model, before)


def test_full_training_in_bf16_at_a_small_rate_moves_every_tensor(tiny_checkpoint: Path):
    tune = {"vision": "full", "aligner": "full", "language": "full"}
    model = load(tiny_checkpoint, tune, dtype="bf16")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    before = values(model)
    train(model, steps=10, learning_rate=1e-5)
    check_what_moved(model, before)


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_masters_are_fp32_and_frozen_weights_stay_in_dtype(tiny_checkpoint: Path, dtype: str):
    model = load(tiny_checkpoint, {"vision": "lora", "aligner": "full"}, dtype=dtype)
    wanted = torch.bfloat16 if dtype == "bf16" else torch.float32
    for name, weight in model.named_parameters():
        assert weight.dtype == (torch.float32 if weight.requires_grad else wanted), name


@pytest.mark.parametrize("tune", [{"vision": "lora"}, {"vision": "full", "aligner": "lora"}])
@pytest.mark.parametrize(("quantization", "every"), [("none", 1), ("nf4", 1), ("none", 2)])
def test_activation_checkpointing_gives_the_same_gradients(
    tiny_checkpoint: Path, tune: dict[str, str], quantization: str, every: int
):
    tune = {**tune, "language": "lora"}
    plain = load(tiny_checkpoint, tune, quantization=quantization)
    again = {"activation_checkpointing": True, "recompute_every": every}
    saving = load(tiny_checkpoint, tune, quantization=quantization, **again)
    for model in (plain, saving):
        torch.manual_seed(0)
        loss(model).backward()
    expected = trainable_parameters(plain)
    for name, weight in trainable_parameters(saving).items():
        other = expected[name].grad
        assert weight.grad is not None, name
        assert other is not None, name
        assert torch.equal(weight.grad, other), name
        if ".lora_B." in name:
            assert weight.grad.any(), name
    assert any(part_of(name) == "vision" and is_lora(name) for name in expected) == (
        tune["vision"] == "lora"
    )


@pytest.mark.parametrize(
    ("parts", "times"), [("all", (2, 2)), ("language", (1, 2)), ("vision", (2, 1)), ("off", (1, 1))]
)
def test_activation_checkpointing_recomputes_the_parts_it_names(
    tiny_checkpoint: Path, parts: str, times: tuple[int, int]
):
    model = load(tiny_checkpoint, {"vision": "lora"}, activation_checkpointing=parts)
    calls = {"model.visual.blocks.1.attn": 0, "model.language_model.layers.1.self_attn": 0}
    for name in calls:
        model.get_submodule(f"base_model.model.{name}").register_forward_pre_hook(
            lambda *_, name=name: calls.update({name: calls[name] + 1})
        )
    loss(model).backward()
    assert tuple(calls.values()) == times


@pytest.mark.parametrize("vision", ["lora", "full"])  # of the latter PEFT trains copies
@pytest.mark.parametrize(("every", "times"), [(2, [2, 1, 2, 1]), (3, [2, 1, 1, 2])])
def test_one_of_so_many_layers_computes_its_activations_again(
    tiny_checkpoint: Path, vision: str, every: int, times: list[int]
):
    tune = {"vision": vision, "language": "lora"}
    model = load(tiny_checkpoint, tune, activation_checkpointing="all", recompute_every=every)
    base, calls = model.get_base_model().model, Counter[str]()
    for layers in (base.visual.blocks, base.language_model.layers):
        for number, layer in enumerate(layers):
            for module in layer.modules():
                if type(module).__name__.endswith("Attention"):
                    name = f"{type(module).__name__} {number}"
                    module.register_forward_pre_hook(lambda *_, name=name: calls.update((name,)))
    loss(model).backward()
    assert [calls[f"Qwen3VLVisionAttention {it}"] for it in range(4)] == times
    assert [calls[f"Qwen3VLTextAttention {it}"] for it in range(4)] == times
