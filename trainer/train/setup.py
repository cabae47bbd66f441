"""Everything a rank trains with, built once from the configuration."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from trainer.config.schema import RunConfig
from trainer.data.batch import Batch, Totals, Window
from trainer.data.build import Split
from trainer.data.index import Dataset
from trainer.data.layout import Layout
from trainer.data.loader import (
    BatchPool,
    Share,
    single_validation_batches,
    validation_batches,
    windows,
)
from trainer.data.order import Plan
from trainer.run.events import RecordSkipped
from trainer.run.layout import RunLayout
from trainer.train.efficiency import Efficiency
from trainer.train.ranks import Ranks
from trainer.train.recorder import Recorder
from trainer.train.window import Forward


@dataclass(frozen=True)
class RunPaths:
    """Which attempt of which run this process works on."""

    layout: RunLayout
    attempt: int
    supervisor_pid: int
    rank: int = 0

    @property
    def writes_events(self) -> bool:
        """Whether this is the rank that speaks for all."""
        return self.rank == 0

    @classmethod
    def from_environment(cls, layout: RunLayout) -> "RunPaths":
        """Read what the supervisor set."""
        attempt = int(os.environ.get("QVL_ATTEMPT", "1"))
        parent = int(os.environ.get("QVL_SUPERVISOR_PID", "0"))
        return cls(layout, attempt, parent, int(os.environ.get("RANK", "0")))


@dataclass(frozen=True)
class Setup:
    """What training needs besides where it stands."""

    run: RunPaths
    config: RunConfig
    recorder: Recorder
    ranks: Ranks
    accelerator: Accelerator
    forward: Forward
    efficiency: Efficiency
    optimizer: torch.optim.Optimizer
    train_data: Dataset
    validation_data: Dataset
    splits: Mapping[str, Split]
    plan: Plan
    layout: Layout | None  # None: micro-batches are batch.size samples as they are dealt
    pool: BatchPool
    total_steps: int
    data_sha256: str
    skipped: dict[tuple[str, int], RecordSkipped]  # by file and line, over all attempts
    edits: set[str]  # what was changed in samples and is reported already

    @property
    def model(self) -> torch.nn.Module:
        """The model that is trained."""
        return self.forward.model

    @property
    def share(self) -> Share:
        """Which batches this rank computes."""
        return Share(self.ranks.rank, self.ranks.count)

    def totals_of_all(self, mine: Totals) -> Totals:
        """Return what the batches of all ranks hold together; every rank has to ask.

        Raises:
            RanksLost: Another rank has ended.

        """
        return sum(self.ranks.gather(mine), Totals())

    def windows(self, steps_done: int) -> Iterator[Window]:
        """Yield the windows of the remaining optimizer steps, with this rank's batches."""
        steps = range(steps_done, self.total_steps)
        return windows(self.pool, self.plan, steps, self.share, self.layout)

    def validation_batches(self) -> Iterator[Batch | None]:
        """Yield this rank's share of the validation set in file order.

        Every rank gets as many; the last is None where there are not enough for all.
        """
        samples = len(self.splits["validation"].grouping)
        size = self.config.evaluation.batch_size
        batches = validation_batches(self.pool, samples, size, self.share, self.layout)
        for _ in range(0, samples, size * self.ranks.count):
            yield next(batches, None)

    def validation_singles(self, count: int) -> Iterator[Batch]:
        """Yield the first samples of the validation set, one a batch, with their pixels."""
        samples = len(self.splits["validation"].grouping)
        return single_validation_batches(self.pool, min(count, samples))
