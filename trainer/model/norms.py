"""Normalise by the root mean square, and keep the input alone for the backward.

(..., H) hidden values; weight (H,)

In bf16 autograd keeps a copy of the input in fp32, and everywhere it goes over the values one
operation at a time. Here the backward is one function, and what LoRA layers take of the result is
made again from the input. The forward gives the same to the bit.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.model.rematerialize import Once, Recipe, noted


def keep_inputs_of_norms(model: nn.Module) -> None:
    """Let the frozen RMS norms of a model compute like this in training, but for compiled code."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            module.forward = partial(_forward, module, module.forward)


def _forward(norm: Any, as_written: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    trains = torch.is_grad_enabled() and not norm.weight.requires_grad
    if not trains or torch.compiler.is_compiling():
        return as_written(x)
    again = Once(_normalised)
    result, scale = _Normalised.apply(x, norm.weight, norm.variance_epsilon, again)  # pyright: ignore
    return noted(result, Recipe(again, (x, scale, norm.weight)))


def _normalised(x: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    return _weighted(x.float() * scale, weight, x.dtype)


def _weighted(values: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    values = values.to(dtype)
    in_place = torch.result_type(values, weight) == dtype
    return values.mul_(weight) if in_place else values * weight


class _Normalised(Function):
    """x * scale * weight, and the scale (..., 1), one over the root of the mean square of x."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, epsilon: float, again: Once
    ) -> tuple[Tensor, Tensor]:
        wide = x.float()
        scale = wide.pow(2).mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, scale, weight)
        ctx.mark_non_differentiable(scale)
        ctx.again = again
        return _weighted(wide * scale, weight, x.dtype), scale

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        ctx.again.forget()  # who took the result has had its backward
        x, scale, weight = ctx.saved_tensors
        wide = x.float()
        of_x = (upstream * weight).float()  # that to the normalised values, before it is theirs
        shared = (of_x * wide).mean(-1, keepdim=True).mul_(scale.pow(3))
        of_x.mul_(scale).addcmul_(wide, shared, value=-1)
        return of_x.to(x.dtype), None, None, None
