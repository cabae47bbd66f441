"""Decide which samples make which optimizer step, from nothing but seed, epoch and data."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trainer.config.schema import RunConfig


@dataclass(frozen=True)
class Plan:
    """The order of all samples over all epochs, a pure function of its fields."""

    samples: int  # of an epoch: records, or groups of them
    batch_size: int  # samples in a micro-batch
    accumulation: int  # micro-batches in a window
    seed: int
    data_sha256: str

    def __post_init__(self) -> None:
        assert min(self.samples, self.batch_size, self.accumulation) > 0, self

    @property
    def steps_per_epoch(self) -> int:
        """Windows in one pass over the samples; the last one may be short."""
        return -(-self.samples // (self.batch_size * self.accumulation))

    def epoch_of(self, window: int) -> int:
        """Return the epoch a window belongs to; windows never cross an epoch."""
        return window // self.steps_per_epoch

    def epochs_done(self, steps: int) -> float:
        """Return how many passes over the samples `steps` windows make."""
        whole, rest = divmod(steps, self.steps_per_epoch)
        return whole + rest * self.batch_size * self.accumulation / self.samples

    def samples_of(self, window: int) -> tuple[int, ...]:
        """Return the sample numbers of a window (the last of an epoch may be short)."""
        order = permutation(self.samples, self.seed, self.epoch_of(window), self.data_sha256)
        size = self.batch_size * self.accumulation
        start = window % self.steps_per_epoch * size
        return tuple(order[start : start + size].tolist())

    def micro_batches(self, window: int) -> tuple[tuple[int, ...], ...]:
        """Return the sample numbers of each micro-batch of a window (the last may be short)."""
        chosen = self.samples_of(window)
        return tuple(
            chosen[first : first + self.batch_size]
            for first in range(0, len(chosen), self.batch_size)
        )


@lru_cache(maxsize=2)
def permutation(count: int, seed: int, epoch: int, data_sha256: str) -> np.ndarray:
    """Return the order of an epoch, int64 (count,).

    Samples are sorted by random keys: numpy keeps PCG64's bits the same in all versions,
    but not what `Generator.permutation` makes of them.
    """
    entropy = np.random.SeedSequence([seed, epoch, int(data_sha256[:16], 16)])
    keys = np.random.PCG64(entropy).random_raw(count)
    order = np.argsort(keys, kind="stable")
    order.setflags(write=False)
    return order


def planned_steps(config: RunConfig, plan: Plan) -> int:
    """Return the number of optimizer steps of the whole run."""
    if config.training.max_steps is not None:
        return config.training.max_steps
    return max(1, math.ceil(config.training.epochs * plan.steps_per_epoch))
