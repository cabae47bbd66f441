"""LoRA layers compute what PEFT's own forward computes, with its gradients."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.model.building import by_peft, computed, load, logits, loss
from trainer.model.low_rank import mask_of
from trainer.model.modes import evaluating
from trainer.model.parts import trainable_parameters

EVERYWHERE = {"vision": "lora", "aligner": "lora"}


def adapted(checkpoint: Path, tune: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return a model whose LoRA factors are all at work: B is zero at the start."""
    model = load(checkpoint, tune, **options)
    generator = torch.Generator().manual_seed(0)
    for weight in trainable_parameters(model).values():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.05
    return model


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest distance of any, relative to its length."""
    assert found.keys() == expected.keys()
    assert len(found) > 50
    distances = ((found[it] - wanted).norm() / wanted.norm() for it, wanted in expected.items())
    return max(map(float, distances))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("tune", [{}, EVERYWHERE], ids=["language", "everywhere"])
def test_loss_and_gradients_are_those_of_peft(
    tiny_checkpoint: Path, tune: dict[str, Any], dropout: float
):
    model = adapted(tiny_checkpoint, {**tune, "dropout": dropout})
    ours = computed(model)
    assert distance(ours, computed(by_peft(model))) < 1e-5
    assert abs(ours["loss"] - loss(load(tiny_checkpoint))) > 0.01  # LoRA is at work


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_bf16_is_as_close_to_fp32_as_with_peft(tiny_checkpoint: Path, dropout: float):
    tune = {**EVERYWHERE, "dropout": dropout}
    exact = computed(adapted(tiny_checkpoint, tune))
    model = adapted(tiny_checkpoint, tune, dtype="bf16")
    ours = computed(model)
    assert distance(ours, exact) < 1.1 * distance(computed(by_peft(model)), exact) < 0.3


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_quantised_layers_keep_their_own_product(tiny_checkpoint: Path, quantization: str):
    options: dict[str, Any] = {"dtype": "bf16", "quantization": quantization}
    model = adapted(tiny_checkpoint, **options)
    assert distance(computed(model), computed(by_peft(model))) < 0.1


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_evaluation_is_that_of_peft_to_the_bit(tiny_checkpoint: Path, quantization: str):
    model = adapted(tiny_checkpoint, dtype="bf16", quantization=quantization)
    in_training = logits(model)
    with evaluating(model):
        ours = logits(model)
        assert torch.equal(ours, logits(by_peft(model)))
    assert (in_training - ours).norm() / ours.norm() < 0.03  # bf16 rounds at other places


def test_an_adapter_that_is_off_or_merged_is_left_to_peft(tiny_checkpoint: Path):
    model = adapted(tiny_checkpoint)
    ours = logits(model)
    with model.disable_adapter():
        base = logits(model)
    assert torch.equal(base, logits(load(tiny_checkpoint)))
    model.merge_adapter()
    merged = logits(model)
    model.unmerge_adapter()
    assert torch.allclose(merged, ours, atol=1e-5)
    assert not torch.allclose(base, ours, atol=1e-2)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_its_share_and_scales_it(device: str, dtype: torch.dtype):
    torch.manual_seed(0)
    x = torch.randn(50, 40, 64, device=device).to(dtype)
    mask = mask_of(nn.Dropout(0.3), x)
    assert mask is not None
    dropped = mask.of(x)
    assert 0.69 < float((dropped != 0).float().mean()) < 0.71
    assert torch.equal(dropped != 0, mask.kept.bool())
    wanted = torch.where(mask.kept.bool(), x.float() / 0.7, 0)
    assert torch.allclose(dropped.float(), wanted, rtol=2 * torch.finfo(dropped.dtype).eps)
    assert mask_of(nn.Identity(), x) is None
