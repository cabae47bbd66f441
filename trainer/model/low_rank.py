"""Compute frozen layers with LoRA in fewer passes over their results than PEFT takes, keeping less.

N rows, I inputs, O outputs, r rank

PEFT makes of `base(x) + B(A(x)) * scaling` two products of size (N, O), scales one and adds them,
and its backward goes the same way again. Here products add to what is there already, and scale as
they go. It is the same sum; only its roundings differ.

For the gradient of A a layer's input is needed. Where a recipe is noted on it, it is made again
instead of kept, and of dropout the mask is kept, one byte a value.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from peft.tuners.lora import Linear, LoraLayer
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainer.model.precision import product_dtype
from trainer.model.rematerialize import Recipe, recipe_of


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
    base = layer.get_base_layer()
    branch = _Branch(
        layer.scaling[adapter], product_dtype(x), mask_of(layer.lora_dropout[adapter], x)
    )
    low, high = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    if isinstance(layer, Linear):
        return _AdaptedLinear.apply(  # pyright: ignore[reportReturnType]
            x, low, high, base.weight, base.bias, branch, recipe_of(x)
        )
    return _WithBranch.apply(base(x), x, low, high, branch, recipe_of(x))  # pyright: ignore


class Mask(NamedTuple):
    """What dropout leaves of values."""

    kept: Tensor  # uint8, shaped as they are, 1 or 0; bool takes a CPU nine times as long to read
    factor: float

    def of(self, values: Tensor) -> Tensor:
        """Return them with the rest dropped: in fp32 on a CPU, which would scale in bf16."""
        if values.device.type == "cpu":
            return self.kept.float().mul_(values).mul_(self.factor)
        return torch.ops.aten.native_dropout_backward(
            values, self.kept.view(torch.bool), self.factor
        )


def mask_of(dropout: nn.Module, x: Tensor) -> Mask | None:
    """Draw what a dropout layer would leave of x; None where there is none."""
    if isinstance(dropout, nn.Identity):
        return None
    assert isinstance(dropout, nn.Dropout), dropout
    kept = torch.empty_like(x, dtype=torch.uint8).bernoulli_(1 - dropout.p)
    return Mask(kept, 1 / (1 - dropout.p))


class _Branch(NamedTuple):
    """LoRA's share of the result of a layer, in one forward and its backward."""

    scaling: float
    dtype: torch.dtype  # of its products
    mask: Mask | None

    def source(self, x: Tensor) -> Tensor:
        """Return the rows that A is given: (N, I)."""
        return (x if self.mask is None else self.mask.of(x)).to(self.dtype).flatten(0, -2)

    def gradients(
        self, source: Tensor, inner: Tensor, high: Tensor, of_result: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients to A's results (N, r), A and B from that to the layer's (N, O)."""
        of_inner = (of_result @ high).mul_(self.scaling)
        return of_inner, of_inner.T @ source, (of_result.T @ inner).mul_(self.scaling)

    def add_gradient(self, of_x: Tensor | None, of_inner: Tensor, low: Tensor) -> Tensor:
        """Return the gradient to x, LoRA's share added to what is there: (N, I)."""
        if self.mask is None and of_x is not None:
            return torch.addmm(of_x, of_inner, low, out=of_x)
        of_source = of_inner @ low
        if self.mask is not None:
            of_source = self.mask.of(of_source.view(self.mask.kept.shape)).flatten(0, -2)
        return of_source if of_x is None else of_x.add_(of_source)


def _keep(ctx: Any, branch: _Branch, recipe: Recipe, *tensors: Tensor) -> None:
    """Keep tensors for the backward, and what A's input is made of."""
    mask = branch.mask
    ctx.branch, ctx.factor = branch._replace(mask=None), mask and mask.factor
    ctx.make, ctx.count = recipe.make, len(tensors)
    ctx.save_for_backward(*tensors, mask and mask.kept, *recipe.inputs)


def _kept(ctx: Any) -> tuple[_Branch, Tensor, tuple[Tensor, ...]]:
    """Return the branch, the rows that A was given and the tensors that were kept."""
    saved = ctx.saved_tensors  # once: what is computed again may be asked for only once
    tensors, (kept, *inputs) = saved[: ctx.count], saved[ctx.count :]
    branch = ctx.branch._replace(mask=None if kept is None else Mask(kept, ctx.factor))
    return branch, branch.source(ctx.make(*inputs)), tensors


class _AdaptedLinear(Function):
    """A frozen linear layer with LoRA: one function, so that gradients to x are added as well."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        x: Tensor,
        low: Tensor,
        high: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        branch: _Branch,
        recipe: Recipe,
    ) -> Tensor:
        dtype = branch.dtype
        with torch.autocast(x.device.type, enabled=False):
            weight, low, high = weight.to(dtype), low.to(dtype), high.to(dtype)
            rows = x.to(dtype).flatten(0, -2)  # (N, I)
            source = rows if branch.mask is None else branch.source(x)
            inner = source @ low.T  # (N, r)
            result = functional.linear(rows, weight, None if bias is None else bias.to(dtype))
            torch.addmm(result, inner, high.T, alpha=branch.scaling, out=result)
        _keep(ctx, branch, recipe, inner, low, high, weight)
        return result.unflatten(0, x.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        branch, source, (inner, low, high, weight) = _kept(ctx)
        of_result = upstream.flatten(0, -2)  # (N, O)
        of_inner, *of_factors = branch.gradients(source, inner, high, of_result)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = branch.add_gradient(of_result @ weight, of_inner, low)
            of_x = of_x.view(*upstream.shape[:-1], -1)
        return of_x, *of_factors, None, None, None, None


class _WithBranch(Function):
    """LoRA added to the result of a frozen layer that is no plain product."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        frozen: Tensor,
        x: Tensor,
        low: Tensor,
        high: Tensor,
        branch: _Branch,
        recipe: Recipe,
    ) -> Tensor:
        dtype = branch.dtype
        with torch.autocast(x.device.type, enabled=False):
            low, high = low.to(dtype), high.to(dtype)
            inner = branch.source(x) @ low.T  # (N, r)
            rows = frozen.to(dtype).flatten(0, -2)  # (N, O)
            result = torch.addmm(rows, inner, high.T, alpha=branch.scaling)
        _keep(ctx, branch, recipe, inner, low, high)
        return result.view(frozen.shape)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        branch, source, (inner, low, high) = _kept(ctx)
        of_inner, *of_factors = branch.gradients(source, inner, high, upstream.flatten(0, -2))
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = branch.add_gradient(None, of_inner, low).view(*upstream.shape[:-1], -1)
        return upstream, of_x, *of_factors, None, None
