"""Run LoRA layers as one function: the frozen product and the low-rank one beside it.

N rows (all tokens of a batch), K inputs, O outputs, r rank

PEFT computes a layer as modules one after the other: the input is cast to fp32 for the factors and
back by autocast, dropout keeps a copy of it, and result, scaling and sum are tensors of their own.
Here the low-rank product is added while it is computed (`addmm`), forward and backward, and what is
kept is the input, which its neighbours share, a row of r numbers a token, and dropout's mask.

The factors stay PEFT's parameters, in fp32. Under autocast they are cast in every call: a copy that
is kept could be an old one, since fused and 8-bit optimizers move weights without counting
versions.
"""

from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional


def run_lora_as_one_function(model: nn.Module) -> None:
    """Let every LoRA layer of a linear layer run that way; names, weights and classes stay.

    Merged, switched off, several at once or of another kind than plain LoRA, they run as in PEFT.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer) and isinstance(module.get_base_layer(), nn.Linear):
            module.forward = _Forward(module)  # pyright: ignore[reportAttributeAccessIssue]


class _Forward:
    """The forward of one layer."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __call__(self, x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        layer = self._layer
        name = _plain_adapter(layer)
        dtype = _product_dtype(x)
        if arguments or options or name is None or not _fits(layer.lora_A[name].weight, dtype):
            return type(layer).forward(layer, x, *arguments, **options)
        x = x.to(dtype)
        base, weight, bias = _frozen_product(layer.base_layer, x)
        dropout = layer.lora_dropout[name]
        share = dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        return _Sum.apply(  # pyright: ignore[reportReturnType]
            x, base, weight, bias, a, b, layer.scaling[name], share
        )


def _plain_adapter(layer: Any) -> str | None:
    """The one adapter that is to be added to the frozen product; None: it is not that simple."""
    names = layer.active_adapters
    if layer.disable_adapters or layer.merged or len(names) != 1 or names[0] in layer.lora_variant:
        return None
    return names[0] if names[0] in layer.lora_A else None


def _product_dtype(x: Tensor) -> torch.dtype:
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _fits(factor: Tensor, dtype: torch.dtype) -> bool:
    """Whether products are in the factors' precision, or autocast says otherwise."""
    return factor.dtype == dtype or torch.is_autocast_enabled(factor.device.type)


def _frozen_product(base: nn.Linear, x: Tensor) -> tuple[Tensor | None, Tensor | None, Any]:
    """Return the base's result, or its weight and bias where they are plain, for one function."""
    weight, bias = base.weight, base.bias
    trained = weight.requires_grad or (bias is not None and bias.requires_grad)
    if type(base) is nn.Linear and weight.dtype == x.dtype and not trained:
        return None, weight, bias
    return base(x), None, None


class _Sum(Function):
    """x W^T + bias + scale * dropout(x) A^T B^T, or the same with the frozen product given."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        x: Tensor,  # (..., K)
        base: Tensor | None,  # (..., O)
        weight: Tensor | None,  # (O, K), where base is None
        bias: Tensor | None,
        a: Tensor,  # (r, K)
        b: Tensor,  # (O, r)
        scale: float,
        share: float,  # that dropout takes away
    ) -> Tensor:
        a, b = a.to(x.dtype), b.to(x.dtype)
        rows = x.reshape(-1, x.shape[-1])  # (N, K)
        kept = mask = None
        if share:
            kept, mask = torch.native_dropout(rows, share, train=True)
        low = functional.linear(rows if kept is None else kept, a)  # (N, r)
        if base is None:
            assert weight is not None
            result = functional.linear(rows, weight, bias)  # (N, O)
            torch.addmm(result, low, b.T, alpha=scale, out=result)
        else:
            result = torch.addmm(base.reshape(-1, base.shape[-1]), low, b.T, alpha=scale)
        ctx.save_for_backward(x, weight, mask, low, a, b)
        ctx.scale, ctx.share = scale, share
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, slope: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, weight, mask, low, a, b = ctx.saved_tensors
        of_rows = slope.reshape(-1, slope.shape[-1])  # (N, O)
        of_low = (of_rows @ b).mul_(ctx.scale)  # (N, r)
        rows = _without_dropped(x.reshape(-1, x.shape[-1]), mask, ctx.share)
        of_a = of_low.T @ rows
        of_b = (of_rows.T @ low).mul_(ctx.scale)
        of_x = of_base = None
        if ctx.needs_input_grad[0]:
            of_x = None if weight is None else of_rows @ weight
            of_x = _with_low_rank(of_x, of_low, a, mask, ctx.share).view_as(x)
        if ctx.needs_input_grad[1]:
            of_base = slope
        return of_x, of_base, None, None, of_a, of_b, None, None


def _with_low_rank(
    total: Tensor | None, of_low: Tensor, a: Tensor, mask: Tensor | None, share: float
) -> Tensor:
    """Add the gradient that came through the factors to the frozen product's (N, K), if given."""
    if total is None or mask is not None:
        through = _without_dropped(of_low @ a, mask, share)
        return through if total is None else total.add_(through)
    return torch.addmm(total, of_low, a, out=total)


def _without_dropped(rows: Tensor, mask: Tensor | None, share: float) -> Tensor:
    """What dropout made of rows, once more from its mask."""
    if mask is None:
        return rows
    return torch.ops.aten.native_dropout_backward(rows, mask, 1.0 / (1.0 - share))
