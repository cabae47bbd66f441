"""Gated MLPs give the very same numbers, and keep two tensors less of their width."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainer.model.building import as_written, computed, kept_by_body, load
from trainer.model.body import base_of


def mlps(model: Any) -> list[nn.Module]:
    return [
        module
        for name, module in base_of(model).model.named_modules()
        if name.endswith(".mlp") and "original_module" not in name and "forward" in vars(module)
    ]


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_loss_and_gradients_are_the_same_to_the_bit(
    families: dict[str, Path], family: str, dtype: str
):
    model = load(families[family], {"vision": "lora", "language": "full"}, dtype=dtype)
    layers, blocks = base_of(model).model.language_model.layers, base_of(model).model.visual.blocks
    gated = len(layers) + (len(blocks) if family == "qwen2_5_vl" else 0)
    assert len(mlps(model)) == gated
    ours = computed(model)
    theirs = computed(as_written(model, mlps(model)))
    assert len(ours) > 50
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(theirs[name], value) for name, value in ours.items())


def widths_kept(model: Any) -> int:
    """Return how many tensors of an MLP's width the forward keeps for the backward."""
    width, kept = model.config.text_config.intermediate_size, kept_by_body(model).values()
    shapes = [tuple(it.shape) for it in kept]
    return shapes.count((2, 24, width)) + shapes.count((48, width))


def test_a_layer_keeps_gate_and_up_alone(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    layers = len(base_of(model).model.language_model.layers)
    assert widths_kept(model) == 2 * layers
    assert widths_kept(as_written(model, mlps(model))) == 4 * layers
