"""A weight that gets no gradient ends the run in its first windows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainer.model.building import load, loss
from trainer.model.parts import trainable_parameters
from trainer.model.trainability import NotTrainable, TrainabilityProof

ALL_LORA = {"vision": "lora", "aligner": "lora"}


def optimizer_of(model: Any, learning_rate: float = 1e-3) -> torch.optim.Optimizer:
    return torch.optim.AdamW(trainable_parameters(model).values(), lr=learning_rate)


def test_lora_is_proven_one_update_after_the_first_window(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, ALL_LORA)
    proof, optimizer = TrainabilityProof(model), optimizer_of(model)
    loss(model).backward()
    assert proof.after_backward(1, window_had_images=True) is None
    optimizer.step()
    optimizer.zero_grad()
    loss(model).backward()
    event = proof.after_backward(2, window_had_images=True)
    assert event is not None
    assert proof.done
    layers = 4 * 4 + 4 * 2 + 4 * 7
    assert (event.step, event.tensors) == (2, 2 * layers)
    assert event.lora_a_nonzero == event.lora_b_nonzero == layers
    assert proof.after_backward(3, window_had_images=True) is None


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_full_training_is_proven_by_one_window_with_images(families: dict[str, Path], family: str):
    model = load(families[family], dict.fromkeys(("vision", "aligner", "language"), "full"))
    proof = TrainabilityProof(model)
    loss(model, images=False).backward()
    assert proof.after_backward(1, window_had_images=False) is None
    assert not proof.done
    loss(model).backward()
    event = proof.after_backward(2, window_had_images=True)
    assert event is not None
    assert (event.tensors, event.lora_a_nonzero) == (len(list(model.parameters())), 0)


def test_windows_of_text_prove_the_language_part_only(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, ALL_LORA)
    proof, optimizer = TrainabilityProof(model), optimizer_of(model)
    for step in (1, 2, 3):
        optimizer.zero_grad()
        loss(model, images=False).backward()
        assert proof.after_backward(step, window_had_images=False) is None
        optimizer.step()
    assert not proof.done
    for step in (4, 5):
        optimizer.zero_grad()
        loss(model).backward()
        event = proof.after_backward(step, window_had_images=True)
        optimizer.step()
    assert event is not None


def test_a_skipped_update_and_an_empty_window_prove_nothing(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    proof = TrainabilityProof(model)
    (loss(model) * 0).backward()
    assert proof.after_backward(1, window_had_images=True) is None
    for step in (2, 3):  # no update in between: every A still has a zero gradient
        loss(model).backward()
        assert proof.after_backward(step, window_had_images=True) is None
    (loss(model) * float("nan")).backward()
    assert proof.after_backward(4, window_had_images=True) is None
    assert not proof.done


def test_weights_the_forward_does_not_use_are_named(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"vision": "full", "aligner": "full", "language": "full"})
    unused = nn.Linear(4, 4)
    model.get_submodule("model.visual.merger").add_module("forgotten", unused)
    proof = TrainabilityProof(model)
    loss(model, images=False).backward()
    assert proof.after_backward(1, window_had_images=False) is None
    loss(model).backward()
    with pytest.raises(NotTrainable, match=r"merger\.forgotten\.weight") as caught:
        proof.after_backward(2, window_had_images=True)
    assert len(caught.value.tensors) == 2


def cut_off(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return output.detach()


def test_a_block_that_is_cut_off_is_named(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"vision": "lora"})
    block = "base_model.model.model.visual.blocks.2"
    model.get_submodule(block).register_forward_hook(cut_off)
    proof = TrainabilityProof(model)
    loss(model).backward()
    with pytest.raises(NotTrainable, match=r"8 tensors.*visual\.blocks\.2"):
        proof.after_backward(1, window_had_images=True)


def test_a_lora_layer_whose_result_is_lost_is_named(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    name = "base_model.model.model.language_model.layers.1.mlp.up_proj"
    model.get_submodule(name).scaling["default"] = 0.0
    proof = TrainabilityProof(model)
    loss(model).backward()
    with pytest.raises(NotTrainable, match=r"layers\.1\.mlp\.up_proj\.lora_B"):
        proof.after_backward(1, window_had_images=True)


def test_an_a_whose_b_has_moved_has_to_get_a_gradient(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    proof, optimizer = TrainabilityProof(model), optimizer_of(model)
    loss(model).backward()
    proof.after_backward(1, window_had_images=True)
    optimizer.step()
    optimizer.zero_grad()
    name = "base_model.model.model.language_model.layers.1.mlp.up_proj.lora_A.default"
    weight = model.get_parameter(f"{name}.weight")
    weight.register_hook(torch.zeros_like)
    loss(model).backward()
    with pytest.raises(NotTrainable, match=r"layers\.1\.mlp\.up_proj\.lora_A"):
        proof.after_backward(2, window_had_images=True)
