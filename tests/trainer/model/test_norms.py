"""RMS norms give the very same results, the same gradients, and keep no copy of their input."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.model.building import as_written, computed, kept_tensors, load, logits
from trainer.model.body import base_of
from trainer.model.norms import keep_inputs_of_norms

WIDTH = 96


def norms(model: Any) -> list[nn.Module]:
    """Return the norms that compute by one function."""
    return [it for it in base_of(model).modules() if type(it).__name__.endswith("RMSNorm")]


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_results_are_the_same_to_the_bit_and_gradients_alike(
    families: dict[str, Path], family: str, dtype: str
):
    model = load(families[family], {"vision": "lora"}, dtype=dtype)
    assert len(norms(model)) > 8
    ours = computed(model)
    result = logits(model)
    theirs = computed(as_written(model, norms(model)))
    assert torch.equal(logits(model), result)
    assert torch.equal(ours["loss"], theirs["loss"])
    assert len(ours) > 50
    assert ours.keys() == theirs.keys()
    wanted = {name: it for name, it in theirs.items() if float(it.abs().max())}
    limit = {"fp32": 1e-5, "bf16": 0.05}[dtype]
    assert all(distance(ours[name], it) < limit for name, it in wanted.items())


def norm_of(family: dict[str, Path], dtype: torch.dtype) -> tuple[Any, Tensor, Tensor]:
    """Return a norm with weights of all sizes, an input and the gradient to its result."""
    generator = torch.Generator().manual_seed(0)
    model = load(family["qwen3_vl"])
    norm: Any = type(norms(model)[0])(WIDTH).to(dtype).requires_grad_(False)
    norm.weight.copy_(torch.randn(WIDTH, generator=generator))
    x, upstream = (3 * torch.randn(5, 7, WIDTH, generator=generator) for _ in range(2))
    return norm, x.to(dtype), upstream.to(dtype)


def gradient(norm: Any, x: Tensor, upstream: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    norm(x).backward(upstream)
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.bfloat16, 5e-3)])
def test_the_gradient_is_that_of_exact_arithmetic(
    families: dict[str, Path], dtype: torch.dtype, limit: float
):
    norm, x, upstream = norm_of(families, dtype)
    wide = x.double().requires_grad_()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
    (scaled * norm.weight.double()).backward(upstream.double())
    assert wide.grad is not None
    theirs = distance(gradient(norm, x, upstream), wide.grad)
    keep_inputs_of_norms(norm)
    ours = distance(gradient(norm, x, upstream), wide.grad)
    assert ours < limit
    assert ours < 1.1 * theirs


def test_nothing_is_kept_but_input_and_scale(families: dict[str, Path]):
    norm, x, _ = norm_of(families, torch.bfloat16)
    keep_inputs_of_norms(norm)
    x.requires_grad_()
    with kept_tensors() as kept:
        norm(x)
    shapes = sorted(tuple(tensor.shape) for tensor in kept.values())
    assert shapes == [(5, 7, 1), (5, 7, WIDTH), (WIDTH,)]
    assert x.data_ptr() in kept


def test_norms_that_are_trained_compute_as_they_were_written(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"language": "full"})
    ours = computed(model)
    trained = [name for name in ours if name.endswith("layernorm.weight")]
    assert len(trained) > 4
    theirs = computed(as_written(model, norms(model)))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
