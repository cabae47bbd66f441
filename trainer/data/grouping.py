"""Decide which records make which sample: each its own, dense ones in groups."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from trainer.config.schema import RunConfig
from trainer.data.order import Plan, permutation
from trainer.data.reading import Records

# Keep these draws apart from those of the order, which come from the same seed, epoch and data.
DEALING, MODES = (int.from_bytes(word, "big") for word in (b"deal", b"mode"))


@dataclass(frozen=True, eq=False)
class Grouping:
    """The samples of an epoch, numbered from 0; a pure function of its fields.

    Records that are not dense come first, each a sample, in their order. Dense records follow,
    dealt into groups anew in every epoch; without an epoch they are grouped as they lie.
    """

    records: int
    dense: tuple[range, ...]  # record numbers
    group_size: int
    summary_ratio: float
    seed: int
    data_sha256: str

    @classmethod
    def of(cls, records: Records, seed: int) -> "Grouping":
        """Return the grouping of a data set under its options."""
        dense = records.options.dense
        return cls(
            records=len(records),
            dense=tuple(records.numbers_of("dense")),
            group_size=dense.images_per_user_turn,
            summary_ratio=dense.summary_ratio,
            seed=seed,
            data_sha256=records.dataset.sha256,
        )

    def __len__(self) -> int:
        """How many samples an epoch has; a short last group is one too."""
        if self.group_size == 1:
            return self.records
        return len(self._alone) + -(-len(self._grouped) // self.group_size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    @cached_property
    def _is_dense(self) -> np.ndarray:
        """Whether each record is dense, bool (records,)."""
        dense = np.zeros(self.records, dtype=bool)
        for numbers in self.dense:
            dense[numbers.start : numbers.stop] = True
        return dense

    @cached_property
    def _alone(self) -> np.ndarray:
        return np.flatnonzero(~self._is_dense)

    @cached_property
    def _grouped(self) -> np.ndarray:
        return np.flatnonzero(self._is_dense)

    def members(self, sample: int, epoch: int | None) -> tuple[int, ...]:
        """Return the numbers of the records that make a sample of an epoch, in their order."""
        assert 0 <= sample < len(self), sample
        if self.group_size == 1:
            return (sample,)
        if sample < len(self._alone):
            return (int(self._alone[sample]),)
        start = (sample - len(self._alone)) * self.group_size
        return tuple(self._dealt(epoch)[start : start + self.group_size].tolist())

    def sample_of(self, record: int, epoch: int | None) -> int:
        """Return the number of the sample that a record is part of in an epoch."""
        if self.group_size == 1:
            return record
        if not self._is_dense[record]:
            return int(np.searchsorted(self._alone, record))
        position = int(np.flatnonzero(self._dealt(epoch) == record)[0])
        return len(self._alone) + position // self.group_size

    def _dealt(self, epoch: int | None) -> np.ndarray:
        """The numbers of the dense records in the order of the groups, int64."""
        if epoch is None:
            return self._grouped
        order = _order(len(self._grouped), self.seed, epoch, self.data_sha256)
        return self._grouped[order]

    def summarised(self, sample: int, epoch: int | None) -> bool:
        """Whether a sample asks for summaries; means something for dense records only."""
        if self.summary_ratio in (0.0, 1.0):
            return self.summary_ratio == 1.0
        words = [MODES, self.seed, epoch or 0, sample, int(self.data_sha256[:16], 16)]
        draw = int(np.random.PCG64(np.random.SeedSequence(words)).random_raw()) >> 11
        return draw * 2.0**-53 < self.summary_ratio

    def largest(self, sizes: np.ndarray, count: int, epoch: int) -> tuple[int, ...]:
        """Return the samples of an epoch whose records are largest together, largest first.

        Args:
            sizes: Of each record, int64 (records,).
            count: How many are wanted.
            epoch: The epoch.

        """
        together = sizes
        if self.group_size > 1:
            starts = np.arange(0, len(self._grouped), self.group_size)
            groups = np.add.reduceat(sizes[self._dealt(epoch)], starts) if len(starts) else starts
            together = np.concatenate((sizes[self._alone], groups))
        return tuple(np.argsort(-together, kind="stable")[:count].tolist())


def plan_of(config: RunConfig, grouping: Grouping) -> Plan:
    """Return which samples make which step of a run."""
    batch = config.batch
    return Plan(len(grouping), batch.size, batch.accumulation, config.seed, grouping.data_sha256)


@lru_cache(maxsize=2)
def _order(records: int, seed: int, epoch: int, data_sha256: str) -> np.ndarray:
    """The order in which dense records are dealt, int64 (records,)."""
    return permutation(records, seed ^ DEALING, epoch, data_sha256)
