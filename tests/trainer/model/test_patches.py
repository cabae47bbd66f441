"""Patches embedded by a product are those of the convolution, and so are all weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForImageTextToText

from tests.trainer.model.building import batch, load
from trainer.model.patches import PatchProjection
from trainer.model.weights import save_weights

FULL = {"vision": "full", "aligner": "full", "language": "full"}


@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_the_convolution(bias: bool):
    torch.manual_seed(0)
    convolution = nn.Conv3d(3, 32, (2, 4, 4), stride=(2, 4, 4), bias=bias)
    patches = torch.randn(50, 3, 2, 4, 4)
    slope = torch.randn(50, 32, 1, 1, 1)
    found = []
    for layer in (convolution, PatchProjection.of(convolution)):
        assert dict(layer.named_parameters()).keys() == dict(convolution.named_parameters()).keys()
        given = patches.clone().requires_grad_()
        embedded = layer(given)
        (embedded * slope).sum().backward()
        gradients = [weight.grad for weight in layer.parameters()]
        found.append([embedded, given.grad, *gradients])
        layer.zero_grad(set_to_none=True)
    for expected, ours in zip(*found, strict=True):
        assert ours.shape == expected.shape
        assert (ours - expected).norm() <= 1e-5 * expected.norm()


def test_in_bf16_it_is_no_less_exact_than_the_convolution():
    torch.manual_seed(0)
    convolution = nn.Conv3d(3, 64, (2, 16, 16), stride=(2, 16, 16)).bfloat16()
    patches = torch.randn(200, 3, 2, 16, 16).bfloat16()
    with torch.no_grad():
        found = [
            layer(patches).double() for layer in (PatchProjection.of(convolution), convolution)
        ]
        exact = convolution.double()(patches.double())
    ours, theirs = ((it - exact).norm() / exact.norm() for it in found)
    assert ours <= 1.05 * theirs
    assert ours <= 4e-3


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv3d(3, 8, 2, stride=1),
        nn.Conv3d(4, 8, 2, stride=2, groups=2),
        nn.Conv3d(3, 8, 2, stride=2, padding=1),
        nn.Conv3d(3, 8, 2, stride=2, dilation=2),
    ],
)
def test_a_convolution_that_is_no_product_is_refused(convolution: nn.Conv3d):
    with pytest.raises(ValueError, match="no product"):
        PatchProjection.of(convolution)


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_every_family_embeds_by_a_product_and_sees_what_plain_transformers_sees(
    families: dict[str, Path], family: str
):
    model = load(families[family], FULL).eval()
    assert isinstance(model.model.visual.patch_embed.proj, PatchProjection)
    plain = AutoModelForImageTextToText.from_pretrained(families[family], dtype=torch.float32)
    inputs = batch(plain)
    with torch.no_grad():
        difference = model(**inputs).logits - plain.eval()(**inputs).logits
    assert difference.abs().max() <= 1e-4


def test_the_saved_model_is_that_of_plain_transformers(tiny_checkpoint: Path, tmp_path: Path):
    folder = save_weights(load(tiny_checkpoint, FULL), tmp_path)
    loaded: Any = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    _, loading = loaded
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    described = (folder / "config.json").read_text()
    assert "fusion" not in described


def test_lora_on_every_linear_layer_leaves_the_embedding_alone(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"vision": "lora", "targets": "all-linear"})
    proj = model.get_base_model().model.visual.patch_embed.proj
    assert isinstance(proj, PatchProjection)
