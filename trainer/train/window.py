"""One optimizer step: forward and backward over a window, the guard, the update."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from accelerate import Accelerator

from trainer.data.batch import Batch, Window, moved
from trainer.data.preprocessing import Preprocessing
from trainer.model.parts import trainable_parameters
from trainer.model.segments import packed_inputs
from trainer.model.tower import EncoderOutputs
from trainer.objectives.supervised import supervised_terms
from trainer.train.ahead import copied_ahead
from trainer.train.out_of_memory import described, memory_for
from trainer.train.randomness import seed_micro_batch
from trainer.train.ranks import Ranks
from trainer.train.vision_cache import VisionCache


@dataclass(frozen=True)
class Gradients:
    """What forward and backward over a window left behind, before any update.

    Everything stays on the device until the first number is asked for; then all of them come over
    at once, so that a step waits for the device a single time.
    """

    target_tokens: int
    sums: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])  # scalars
    clipped_norm: torch.Tensor | None = None  # before clipping; None: nothing was clipped

    @cached_property
    def _numbers(self) -> dict[str, float]:
        scalars = dict(self.sums)
        if self.clipped_norm is not None:
            scalars["norm"] = self.clipped_norm
        if not scalars:
            return {}
        together = torch.stack([scalar.double() for scalar in scalars.values()])
        return dict(zip(scalars, together.tolist(), strict=True))

    @property
    def norm(self) -> float:
        """The length of all gradients before clipping; zero where there are none."""
        return self._numbers.get("norm", 0.0)

    def mean(self, name: str) -> float | None:
        """Return a metric per target token; None without target tokens or when not finite."""
        if not self.target_tokens:
            return None
        value = self._numbers[name] / self.target_tokens
        return value if math.isfinite(value) else None

    @property
    def not_finite(self) -> Literal["loss", "gradient"] | None:
        """What keeps the optimizer from moving."""
        if not math.isfinite(self._numbers.get("loss", 0.0)):
            return "loss"
        return None if math.isfinite(self.norm) else "gradient"


@dataclass(frozen=True)
class Forward:
    """What it takes to run batches through the model."""

    model: torch.nn.Module
    preprocessing: Preprocessing
    accelerator: Accelerator
    seed: int
    vision: VisionCache | None = None  # None: the tower runs inside the model's forward

    def inputs(self, batch: Batch) -> tuple[dict[str, Any], torch.Tensor]:
        """Return the model's inputs on the device, and the labels on the host."""
        device = self.accelerator.device
        if self.vision is None or not batch.images:
            inputs = self.inputs_with_pixels(batch)
        else:
            inputs = {**batch.token_inputs(device), "mm_encoder_outputs": self._features(batch)}
        if batch.packed:
            inputs |= packed_inputs(self.model, inputs["position_ids"], batch.lengths)
        else:  # padding lies behind a sample, where none of its tokens looks
            del inputs["attention_mask"]
            inputs["position_ids"] = moved(_padded_positions(batch), device)
        return inputs, batch.labels

    def inputs_with_pixels(self, batch: Batch) -> dict[str, Any]:
        """Return the inputs of a batch that has all its patches, as `generate` needs them."""
        device = self.accelerator.device
        return batch.model_inputs(self.preprocessing, device, self.pixel_dtype)

    def _features(self, batch: Batch) -> dict[str, EncoderOutputs]:
        assert self.vision is not None
        with self.accelerator.autocast():
            return self.vision.outputs(batch, self.accelerator.device, self.pixel_dtype)

    @property
    def pixel_dtype(self) -> torch.dtype:
        """The precision pixels are given in: that of the frozen weights."""
        return self.model.config.dtype  # pyright: ignore


def _padded_positions(batch: Batch) -> torch.Tensor:
    """Positions of the rotary embedding, (3, B, T); the model would ask the device for lengths."""
    if batch.rope is not None:
        return batch.rope
    return torch.arange(batch.input_ids.shape[1]).expand(3, batch.samples, -1)


def accumulate_gradients(forward: Forward, window: Window) -> Gradients:
    """Run forward and backward over this rank's micro-batches of a window.

    Each micro-batch's summed loss is divided by the target tokens of the whole window, so how
    the window is cut into micro-batches, and who computes them, does not matter.

    Raises:
        torch.OutOfMemoryError: With a note which records it was; no gradient is to be used.

    """
    collected: list[dict[str, torch.Tensor]] = []
    pairs = zip(window.numbers, window.batches, strict=True)
    trained = [(number, batch) for number, batch in pairs if batch.target_tokens]
    copies = copied_ahead((batch for _, batch in trained), forward.accelerator.device)
    for (number, _), batch in zip(trained, copies, strict=True):
        seed_micro_batch(forward.seed, window.index, number)
        with memory_for(f"at step {window.index + 1}, with a micro-batch of {described(batch)}"):
            collected.append(_forward_and_backward(forward, batch, window.target_tokens))
    sums = {
        name: torch.stack([sums[name].double() for sums in collected]).sum()
        for name in (collected[0] if collected else ())
    }
    return Gradients(window.target_tokens, sums)


def _forward_and_backward(
    forward: Forward, batch: Batch, target_tokens: int
) -> dict[str, torch.Tensor]:
    with memory_for("in the forward pass"):
        inputs, labels = forward.inputs(batch)
        with forward.accelerator.autocast():
            terms = supervised_terms(forward.model, inputs, labels)
    with memory_for("in the backward pass"):
        (terms.numerator / target_tokens).backward()
    return terms.sums


def sum_over_ranks(forward: Forward, ranks: Ranks, gradients: Gradients) -> Gradients:
    """Return the sums of all ranks; gradients are summed in place, a missing one counts as zero.

    Raises:
        RanksLost: Another rank has ended.

    """
    if ranks.count == 1:
        return gradients
    weights = list(trainable_parameters(forward.model).values())
    everybodys = ranks.gather(([it.grad is not None for it in weights], list(gradients.sums)))
    present = [any(flags) for flags in zip(*(flags for flags, _ in everybodys), strict=True)]
    for weight, anywhere in zip(weights, present, strict=True):
        if anywhere and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    ranks.sum([it.grad for it in weights if it.grad is not None])
    nothing = torch.zeros((), dtype=torch.float64, device=forward.accelerator.device)
    names = dict.fromkeys(name for _, sums in everybodys for name in sums)
    sums = {name: gradients.sums.get(name, nothing.clone()) for name in names}
    ranks.sum(list(sums.values()))
    return replace(gradients, sums=sums)


def clip_gradients(forward: Forward, gradients: Gradients, max_norm: float) -> Gradients:
    """Clip all gradients together and return the same with their norm before that."""
    trainable = [p for p in forward.model.parameters() if p.grad is not None]
    norm = forward.accelerator.clip_grad_norm_(trainable, max_norm)
    return replace(gradients, clipped_norm=norm)
