"""Compute frozen layers with LoRA in fewer passes over their results than PEFT takes.

N rows, I inputs, O outputs, r rank

PEFT makes of `base(x) + B(A(x)) * scaling` two products of size (N, O), scales one and adds them,
and its backward goes the same way again. Here products add to what is there already, and scale as
they go. It is the same sum; only its roundings differ.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear, LoraLayer
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainer.model.precision import product_dtype


def spare_passes(model: PeftModel, adapter: str) -> None:
    """Let the LoRA layers of a model compute like this while they train.

    Evaluation is PEFT's, so that answers and metrics are to the bit what the adapter gives where
    it is loaded by plain PEFT. So is what is asked of adapters that are off, merged or several, and
    compiled code, which spares passes its own way.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer):
            assert isinstance(module, nn.Module)
            module.forward = partial(_forward, module, module.forward, adapter)


def _forward(
    layer: Any, by_peft: Callable[..., Tensor], adapter: str, x: Tensor, *args: Any, **options: Any
) -> Tensor:
    more = args or options or layer.disable_adapters or layer.merged or layer.lora_variant
    plain = layer.training and not more and layer.active_adapters == [adapter]
    if not plain or torch.compiler.is_compiling():
        return by_peft(x, *args, **options)
    base, dropped = layer.get_base_layer(), _dropped(layer.lora_dropout[adapter], x)
    factors = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight, layer.scaling[adapter]
    if isinstance(layer, Linear):
        return _AdaptedLinear.apply(x, dropped, base.weight, base.bias, *factors)  # pyright: ignore
    return _with_low_rank(base(x), x if dropped is None else dropped, *factors)


def _dropped(dropout: nn.Module, x: Tensor) -> Tensor | None:
    """Return what LoRA is given where that is not `x` itself."""
    if isinstance(dropout, nn.Identity):
        return None
    return dropout(x.float() if x.device.type == "cpu" else x)  # a CPU would scale in bf16


def _with_low_rank(
    frozen: Tensor, source: Tensor, low: Tensor, high: Tensor, scaling: float
) -> Tensor:
    """Return the result of a base layer that is no plain product, with LoRA's added."""
    dtype = product_dtype(source)
    with torch.autocast(source.device.type, enabled=False):
        inner = functional.linear(source.to(dtype), low.to(dtype)).flatten(0, -2)  # (N, r)
        rows = frozen.to(dtype).flatten(0, -2)  # (N, O)
        return torch.addmm(rows, inner, high.to(dtype).T, alpha=scaling).view(frozen.shape)


class _AdaptedLinear(Function):
    """A frozen linear layer with LoRA: one function, so that gradients to x are added as well."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        x: Tensor,
        dropped: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        low: Tensor,
        high: Tensor,
        scaling: float,
    ) -> Tensor:
        dtype = product_dtype(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, low, high = weight.to(dtype), low.to(dtype), high.to(dtype)
            rows = x.to(dtype).flatten(0, -2)  # (N, I)
            source = rows if dropped is None else dropped.to(dtype).flatten(0, -2)
            inner = source @ low.T  # (N, r)
            result = functional.linear(rows, weight, None if bias is None else bias.to(dtype))
            torch.addmm(result, inner, high.T, alpha=scaling, out=result)
        ctx.save_for_backward(source, inner, weight, low, high)
        ctx.scaling, ctx.drops = scaling, dropped is not None
        return result.unflatten(0, x.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        source, inner, weight, low, high = ctx.saved_tensors
        of_result = upstream.flatten(0, -2)  # (N, O)
        of_inner = (of_result @ high).mul_(ctx.scaling)  # (N, r)
        of_low, of_high = of_inner.T @ source, (of_result.T @ inner).mul_(ctx.scaling)
        of_x = of_result @ weight if ctx.needs_input_grad[0] else None  # (N, I)
        of_dropped = None
        if ctx.drops:
            of_dropped = (of_inner @ low).view(*upstream.shape[:-1], -1)
        elif of_x is not None:
            torch.addmm(of_x, of_inner, low, out=of_x)
        if of_x is not None:
            of_x = of_x.view(*upstream.shape[:-1], -1)
        return of_x, of_dropped, None, None, of_low, of_high, None
