"""How well a run uses its device, and where its time goes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import torch

from trainer.data.batch import Batch, Window
from trainer.model.flops import Extent, TrainingCost, training_cost
from trainer.model.peaks import peak_flops
from trainer.run.events import Step


@dataclass
class Spent:
    """Sums over the steps of an attempt."""

    seconds: float = 0.0
    data_seconds: float = 0.0
    compute_seconds: float = 0.0
    optimizer_seconds: float = 0.0
    samples: int = 0
    tokens: int = 0
    positions: float = 0.0  # tokens and padding
    model_flops: int = 0
    recomputed_flops: int = 0
    padded_flops: int = 0  # spent on padding


@dataclass(frozen=True)
class Efficiency:
    """Counts operations of windows against the device's peak."""

    cost: TrainingCost | None  # None: the model has layers of an unknown kind
    peak: float | None  # operations a second; None: unknown, or no GPU
    spent: Spent = field(default_factory=Spent)

    @classmethod
    def of(
        cls, model: torch.nn.Module, device: torch.device, dtype: Literal["bf16", "fp32"]
    ) -> "Efficiency":
        """Return it for a model as it is set up on its device."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(training_cost(model), peak_flops(name, dtype))

    def mfu(self, window: Window, seconds: float) -> float | None:
        """Return the share of the peak that went into the window's model operations.

        That is MFU as the PaLM paper (arXiv:2204.02311, appendix B) has it: without what
        checkpointing computes again, and without padding.
        """
        if self.cost is None or self.peak is None or not seconds:
            return None
        return self.cost.flops(extent_of(self.cost, window.batches)).model / seconds / self.peak

    def add(self, window: Window, step: Step) -> None:
        """Take a step into account."""
        spent = self.spent
        for name in ("seconds", "data_seconds", "compute_seconds", "optimizer_seconds"):
            setattr(spent, name, getattr(spent, name) + getattr(step, name))
        spent.samples += step.samples
        spent.tokens += step.tokens
        spent.positions += window.totals.positions
        if self.cost is not None:
            needed = self.cost.flops(extent_of(self.cost, window.batches))
            padded = self.cost.flops(extent_of(self.cost, window.batches, padded=True))
            spent.model_flops += needed.model
            spent.recomputed_flops += padded.recomputed
            spent.padded_flops += padded.model - needed.model

    def summary(self) -> str:
        """Return one sentence for the end of a run; empty where no step was taken."""
        spent = self.spent
        if not spent.seconds:
            return ""
        shares = (
            f"{spent.compute_seconds / spent.seconds:.1%} forward and backward",
            f"{spent.optimizer_seconds / spent.seconds:.1%} optimizer",
            f"{spent.data_seconds / spent.seconds:.1%} waiting for data",
        )
        text = (
            f"{spent.samples / spent.seconds:.3g} samples/s, "
            f"{spent.tokens / spent.seconds:,.0f} tokens/s; time: {', '.join(shares)}"
        )
        if spent.positions:
            text += f"; padding {1 - spent.tokens / spent.positions:.1%}"
        return text + self._rate()

    def _rate(self) -> str:
        spent = self.spent
        if not spent.model_flops:
            return "; operations not counted: the model has layers of an unknown kind"
        rate = spent.model_flops / spent.seconds
        text = f"; {rate / 1e12:.3g} TFLOP/s"
        if self.peak is not None:
            text += f", MFU {rate / self.peak:.1%}"
            if extra := spent.recomputed_flops + spent.padded_flops:
                used = (rate + extra / spent.seconds) / self.peak
                text += f" ({used:.1%} with padding and recomputation)"
        return text


def extent_of(cost: TrainingCost, batches: Iterable[Batch], *, padded: bool = False) -> Extent:
    """Return how much the batches that are trained on make the model compute."""
    total = Extent()
    for batch in batches:
        if not batch.target_tokens:
            continue
        lengths: list[int] = batch.attention_mask.sum(dim=1).tolist()
        if padded:
            lengths = [batch.attention_mask.shape[1]] * len(lengths)
        grids = [] if batch.image_grid_thw is None else batch.image_grid_thw.tolist()
        total += cost.extent(lengths, grids, batch.target_tokens)
    return total
