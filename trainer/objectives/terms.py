"""What an objective returns for one batch: sums, never means."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Terms:
    """Sums over one batch; the step divides by the denominator of the whole window.

    `numerator` is a scalar with a gradient. `sums` holds detached scalars on the same device,
    one for every metric.
    """

    numerator: torch.Tensor
    target_tokens: int
    sums: dict[str, torch.Tensor]
