"""Keep what a tensor was made from in place of the tensor, and make it again in the backward.

It is worth it where making takes no product and what it is made from is kept anyway: the result
of a norm, an activation or a gate, which LoRA layers want to see again for their own gradients.
The term is rematerialization, after Chen et al., arXiv:1604.06174.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation, GELUTanh, QuickGELUActivation

NOTE = "how_made"  # the attribute of a tensor that holds its recipe, and of which version
CHEAP = (nn.LayerNorm, nn.GELU, GELUActivation, GELUTanh, QuickGELUActivation)


class Recipe(NamedTuple):
    """How a tensor is made."""

    make: Callable[..., Tensor]  # takes the inputs, gives the tensor to the bit
    inputs: tuple[Tensor, ...]


class Once:
    """Makes a tensor for all that ask for it in a backward, until it is forgotten."""

    def __init__(self, make: Callable[..., Tensor]) -> None:
        """Make it by this."""
        self._make, self._made = make, None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the tensor; nobody may change it."""
        if self._made is None:
            self._made = self._make(*inputs)
        return self._made

    def forget(self) -> None:
        """Give the tensor's memory back: nobody will ask any more."""
        self._made = None


def noted(tensor: Tensor, recipe: Recipe) -> Tensor:
    """Return the tensor, with a note on it of how it is made; views and results have none."""
    setattr(tensor, NOTE, (recipe, tensor._version))
    return tensor


def recipe_of(tensor: Tensor) -> Recipe:
    """Return how a tensor is made: from itself, where nothing is noted or it was changed since."""
    recipe, version = getattr(tensor, NOTE, (None, 0))
    return recipe if recipe and version == tensor._version else Recipe(_itself, (tensor,))


def note_results(model: nn.Module) -> None:
    """Let the norms and activations of vision towers note how their results are made."""
    for module in model.modules():
        if isinstance(module, CHEAP):
            module.register_forward_hook(_note)


def _note(module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> None:
    if not result.requires_grad:
        return
    kind = result.device.type
    autocast = torch.autocast(
        kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind), cache_enabled=False
    )
    noted(result, Recipe(partial(_called, module.forward, autocast), inputs))


def _called(forward: Any, autocast: torch.autocast, *inputs: Tensor) -> Tensor:
    with torch.no_grad(), autocast:
        return forward(*inputs)


def _itself(tensor: Tensor) -> Tensor:
    return tensor
