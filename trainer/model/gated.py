"""Gate the MLP of a layer without keeping what can be had again from its inputs.

autograd keeps silu(gate) beside gate and up for the backward of `silu(gate) * up`, in every layer.
Here it is worked out again, which costs less than it takes to read it back, and so is the product
for a LoRA layer behind it. The idea is that of Liger Kernel's SwiGLU (arXiv:2410.10989,
`liger_kernel/ops/swiglu.py`); this is plain torch.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers.activations import SiLUActivation

from trainer.model.rematerialize import Once, Recipe, noted

PROJECTIONS = ("gate_proj", "up_proj", "down_proj")


def gate_in_place(model: nn.Module) -> None:
    """Let the gated MLPs of a model compute like this, but for compiled code."""
    for module in model.modules():
        is_silu = isinstance(getattr(module, "act_fn", None), nn.SiLU | SiLUActivation)
        if is_silu and all(isinstance(getattr(module, it, None), nn.Module) for it in PROJECTIONS):
            module.forward = partial(_forward, module, module.forward)


def _forward(mlp: Any, as_written: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if torch.compiler.is_compiling():
        return as_written(x)
    gate, up, activated = mlp.gate_proj(x), mlp.up_proj(x), Once(functional.silu)
    gated = _Gated.apply(gate, up, activated)
    again = Recipe(lambda gate, up: activated(gate) * up, (gate, up))
    return mlp.down_proj(noted(gated, again))  # pyright: ignore[reportArgumentType]


class _Gated(Function):
    """silu(gate) * up, to the bit."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor, activated: Once) -> Tensor:
        ctx.save_for_backward(gate, up)
        ctx.activated = activated
        return functional.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        gate, up = ctx.saved_tensors
        activated = ctx.activated(gate)
        ctx.activated.forget()  # the layer behind has had its backward
        of_gate = torch.ops.aten.silu_backward(upstream * up, gate)
        return of_gate, activated.mul_(upstream), None
