"""A frozen tower that runs image by image gives what it gives inside the model."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.model.building import autocast, load
from trainer.model.body import base_of, hidden_states
from trainer.model.tower import FrozenTower

FAMILIES = ("qwen3_vl", "qwen2_5_vl", "qwen2_vl")
ALIGNERS = ("frozen", "lora", "full")
GRIDS = ((1, 4, 10), (1, 6, 4), (1, 4, 10), (1, 12, 20))  # one of them wider than a window


def inputs_with_images(model: Any, seed: int = 0) -> dict[str, torch.Tensor]:
    """One sample with four pictures of different sizes, text between them."""
    config, generator = model.config, torch.Generator().manual_seed(seed)
    ids: list[int] = [21, 22]
    for _, rows, columns in GRIDS:
        tokens = rows * columns // 4
        ids += [config.vision_start_token_id, *[config.image_token_id] * tokens, 23, 24]
    vision = config.vision_config
    width = 3 * vision.temporal_patch_size * vision.patch_size**2
    patches = sum(rows * columns for _, rows, columns in GRIDS)
    input_ids = torch.tensor([ids])
    return {
        "input_ids": input_ids,
        "attention_mask": torch.ones_like(input_ids),
        "mm_token_type_ids": (input_ids == config.image_token_id).long(),
        "pixel_values": torch.randn(patches, width, generator=generator),
        "image_grid_thw": torch.tensor(GRIDS),
    }


def features_of(tower: FrozenTower, pixels: torch.Tensor) -> list[torch.Tensor]:
    sizes = [rows * columns for _, rows, columns in GRIDS]
    return [
        tower.features(piece, grid) for piece, grid in zip(pixels.split(sizes), GRIDS, strict=True)
    ]


def hidden_of_features(model: Any, tower: FrozenTower, features: list[torch.Tensor]) -> Any:
    inputs: dict[str, Any] = inputs_with_images(model)
    del inputs["pixel_values"]
    return hidden_states(model, {**inputs, "mm_encoder_outputs": tower.outputs(features)})


def gradients(model: Any, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    (hidden * torch.linspace(-1, 1, hidden.numel()).view_as(hidden)).sum().backward()
    return {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("aligner", ALIGNERS)
def test_features_replace_pixels_with_the_same_states_and_gradients(
    families: dict[str, Path], family: str, aligner: str
):
    model = load(families[family], {"aligner": aligner, "language": "lora"})
    tower = FrozenTower(model, torch.float32)
    inputs = inputs_with_images(model)
    expected = hidden_states(model, inputs)
    found = hidden_of_features(model, tower, features_of(tower, inputs["pixel_values"]))
    assert tower.merged == (aligner == "frozen")
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    wanted, reached = gradients(model, expected), gradients(model, found)
    assert wanted.keys() == reached.keys()
    assert any("merger" in name for name in reached) == (aligner != "frozen")
    for name, gradient in wanted.items():
        torch.testing.assert_close(reached[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("aligner", ["frozen", "lora"])
def test_features_in_bf16_are_the_same_bits_whatever_is_computed_before(
    families: dict[str, Path], family: str, aligner: str
):
    model = load(families[family], {"aligner": aligner}, dtype="bf16")
    tower = FrozenTower(model, torch.bfloat16)
    pixels = inputs_with_images(model)["pixel_values"]
    with autocast(model):
        first = features_of(tower, pixels)
        model.eval()
        again = features_of(tower, pixels)
    assert all(it.dtype == torch.bfloat16 for it in first)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_mergers_that_are_trained_draw_no_randomness_while_features_are_made(
    families: dict[str, Path],
):
    model = load(families["qwen3_vl"], {"aligner": "lora", "dropout": 0.5})
    tower = FrozenTower(model, torch.float32)
    features = features_of(tower, inputs_with_images(model)["pixel_values"])
    torch.manual_seed(5)
    first = hidden_of_features(model, tower, features)
    torch.manual_seed(5)
    again = features_of(tower, inputs_with_images(model)["pixel_values"])
    assert torch.equal(hidden_of_features(model, tower, again), first)


def test_mergers_are_back_in_their_place_when_the_tower_fails(families: dict[str, Path]):
    model = load(families["qwen3_vl"], {"aligner": "full"})
    visual = base_of(model).model.visual
    before = (visual.merger, visual.deepstack_merger_list, list(visual.state_dict()))
    tower = FrozenTower(model, torch.float32)
    with pytest.raises(RuntimeError):
        tower.features(torch.zeros(3, 5), (1, 4, 4))
    assert visual.merger is before[0]
    assert visual.deepstack_merger_list is before[1]
    assert list(visual.state_dict()) == before[2]


def test_a_tower_that_is_trained_is_refused(tiny_checkpoint: Path):
    with pytest.raises(ValueError, match="is trained"):
        FrozenTower(load(tiny_checkpoint, {"vision": "lora"}), torch.float32)
