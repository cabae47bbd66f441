"""Prove that gradients reach every weight that should learn."""

from collections.abc import Iterable
from math import isfinite

import torch
from torch import nn

from trainer.model.parts import is_lora, part_of, trainable_parameters
from trainer.run.events import TrainabilityProved

_A, _B = ".lora_A.", ".lora_B."


class NotTrainable(RuntimeError):
    """Weights that should learn get no gradient."""

    def __init__(self, tensors: list[str], why: str) -> None:
        self.tensors = tensors
        listed = ", ".join(tensors[:20]) + (", ..." if len(tensors) > 20 else "")
        super().__init__(f"{len(tensors)} tensors {why}: {listed}; freeze them or report the model")


class TrainabilityProof:
    """Watches the first windows until every trainable weight had a gradient.

    A full weight needs a gradient, a LoRA B one that is not zero. A LoRA A gets a zero gradient
    as long as its B is zero, so it is judged once its B has moved. Vision and aligner are judged
    on windows with images only. Once proven, a call costs nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        self._weights = trainable_parameters(model)
        self._pending = dict(self._weights)

    @property
    def done(self) -> bool:
        """Whether every trainable weight had a gradient."""
        return not self._pending

    def after_backward(self, step: int, window_had_images: bool) -> TrainabilityProved | None:
        """Look at the gradients of one whole window, before the optimizer moves.

        Returns the event once, when the last weight is proven. A window whose gradients are
        all zero (no target token) or not finite proves nothing either way.

        Raises:
            NotTrainable: A weight that this window had to reach got no gradient.

        """
        judged = {
            name: weight
            for name, weight in self._pending.items()
            if window_had_images or part_of(name) == "language"
        }
        if not judged:
            return None
        missing = [name for name, weight in judged.items() if weight.grad is None]
        if missing:
            raise NotTrainable(missing, "got no gradient")
        self._judge(judged)
        return None if self._pending else self._event(step)

    def _judge(self, judged: dict[str, nn.Parameter]) -> None:
        gradients = _largest([weight.grad for weight in judged.values()])
        if not any(gradients) or not all(map(isfinite, gradients)):
            return
        unreached = {
            name
            for name, largest in zip(judged, gradients, strict=True)
            if is_lora(name) and largest == 0
        }
        waiting = self._with_zero_b(unreached)
        if unreached - waiting:
            raise NotTrainable(sorted(unreached - waiting), "got a gradient of zero")
        self._pending = {
            name: weight
            for name, weight in self._pending.items()
            if name not in judged or name in waiting
        }

    def _with_zero_b(self, names: set[str]) -> set[str]:
        """Those of the LoRA A whose B is still zero."""
        pairs = {name: name.replace(_A, _B) for name in names if _A in name}
        sizes = _largest([self._weights[b] for b in pairs.values()])
        return {name for name, largest in zip(pairs, sizes, strict=True) if largest == 0}

    def _event(self, step: int) -> TrainabilityProved:
        return TrainabilityProved(
            step=step,
            tensors=len(self._weights),
            lora_b_nonzero=sum(_B in name for name in self._weights),
            lora_a_nonzero=sum(_A in name for name in self._weights),
        )


def _largest(tensors: Iterable[torch.Tensor | None]) -> list[float]:
    """The largest absolute value in each tensor, brought over from the device at once."""
    present = [tensor.detach() for tensor in tensors if tensor is not None]
    if not present:
        return []
    return torch.stack([tensor.abs().max().float() for tensor in present]).tolist()
