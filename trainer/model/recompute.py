"""Compute activations again in the backward pass instead of keeping them."""

from collections.abc import Iterable
from typing import Any

from torch import nn


def recompute_activations(tower: Any, layers: Iterable[nn.Module], every: int) -> None:
    """Let the first of every so many layers of a tower, or language model, keep its input alone.

    transformers' own count is not used: it counts a layer twice that PEFT trains a copy of.
    """
    tower.activation_checkpointing_enable({"use_reentrant": False})
    # It lets gradients flow back to its input, which only the reentrant kind needs.
    tower.disable_input_require_grads()
    for number, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = number % every == 0  # pyright: ignore
