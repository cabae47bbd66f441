"""Know from an earlier check which records have problems, without measuring them again."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from trainer.data.lengths import KINDS, keeper_of, whole_files
from trainer.data.reading import Records
from trainer.data.shards import ShardKeeper, shards_of


@dataclass(frozen=True, eq=False)
class KeptProblems:
    """What `qvl data check`, or a length table, kept of the records of a split."""

    records: Records
    identity: str  # of what measured them

    @cached_property
    def _whole(self) -> Records:
        return whole_files(self.records)

    @cached_property
    def _keeper(self) -> ShardKeeper:
        return keeper_of(self._whole, self.identity, KINDS)

    @cached_property
    def _states(self) -> np.ndarray:
        """Of each record, int8: 1 a problem, 0 none, -1 not known; -2 not looked for yet."""
        return np.full(len(self.records), -2, dtype=np.int8)

    def has_problem(self, record: int) -> bool | None:
        """Whether a record (from 0) could not be used; None where nothing was kept of it."""
        if self._states[record] == -2:
            self._load(record)
        state = int(self._states[record])
        return None if state < 0 else state == 1

    def _load(self, record: int) -> None:
        """Take in the shard that a record lies in."""
        shard = next(it for it in shards_of(self._whole) if it.first <= record < it.stop)
        folder = Path(self._whole.dataset.source(shard.first).file).parent
        arrays = self._keeper.load(shard, folder)
        stretch = self._states[shard.first : shard.stop]
        stretch[:] = -1 if arrays is None else arrays["tokens"][: len(stretch)] == 0
