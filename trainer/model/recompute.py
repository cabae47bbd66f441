"""Compute activations again in the backward pass instead of keeping them."""

from collections.abc import Container, Iterable
from typing import Any

from torch import nn


def recompute_activations(tower: Any, layers: Iterable[nn.Module], again: Container[int]) -> None:
    """Let the layers of a tower, or language model, that are numbered in `again` keep their input.

    transformers' own count is not used: it counts a layer twice that PEFT trains a copy of.
    """
    tower.activation_checkpointing_enable({"use_reentrant": False})
    # It lets gradients flow back to its input, which only the reentrant kind needs.
    tower.disable_input_require_grads()
    for number, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = number in again  # pyright: ignore
