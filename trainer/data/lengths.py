"""How many tokens and patches every record of a data set takes, kept between runs."""

# N records

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trainer.data.errors import RecordError
from trainer.data.index_cache import default_cache_folder
from trainer.data.measuring import Measuring
from trainer.data.reading import Records
from trainer.data.records import images_of
from trainer.data.shards import (
    Arrays,
    Found,
    ShardKeeper,
    ShardWork,
    picture_states,
    shards_of,
    work_through,
)

COLUMNS = ("tokens", "patches", "target_tokens")
KINDS = ("lengths", "check")  # what `qvl data check` keeps has the lengths in it
SMALL = 2_000  # records that are measured sooner than a process starts

Progress = Callable[[int, int], None]  # records done, records in all


@dataclass(frozen=True, eq=False)
class LengthTable:
    """What each record takes; all zeros for a record that cannot be used.

    Dense records count as questions of their own, and pictures as they are without augmentation.
    """

    tokens: np.ndarray  # int32 (N,), visual ones included
    patches: np.ndarray  # int32 (N,)
    target_tokens: np.ndarray  # int32 (N,), those the loss counts

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class LengthLook:
    """Measures a stretch of records; can be sent to another process."""

    measuring: Measuring

    def __call__(self, records: Records, numbers: range) -> Arrays:
        """Return the three columns, and the states of the pictures."""
        columns = {name: np.zeros(len(numbers), dtype=np.int32) for name in COLUMNS}
        references: list[str] = []
        for row, number in enumerate(numbers):
            try:
                record = records[number]
                references += images_of(record)
                measured = self.measuring.measure(record)
            except RecordError:
                continue
            for name in COLUMNS:
                columns[name][row] = getattr(measured, name)
        folder = Path(records.dataset.source(numbers.start).file).parent
        return {**columns, **picture_states(references, folder)}


def length_table(
    records: Records,
    measuring: Measuring,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> LengthTable:
    """Return what every record takes: measured in processes once, afterwards read from the cache.

    Args:
        records: The records; `data.cache_dir` says where the table is kept.
        measuring: Of the checkpoint, `preprocessing.measuring()`.
        workers: Processes; None: one a processor, 0: none but this one.
        progress: Told how far it is.

    Raises:
        DataChanged: A file is no longer the one that was indexed.
        WorkerFailed: A process died, or took too long.

    """
    work = _work(records, measuring)
    shards = shards_of(records)
    if workers is None:
        workers = 0 if len(records) < SMALL else processors()
    columns = {name: np.zeros(len(records), dtype=np.int32) for name in COLUMNS}
    for found in work_through(work, shards, workers):
        fill(columns, found)
        if progress:
            progress(min(found.shard.stop, len(records)), len(records))
    return LengthTable(**columns)


def kept_length_table(records: Records, measuring: Measuring) -> LengthTable | None:
    """Return the table of records that were measured before; None where any was not."""
    work = _work(records, measuring)
    columns = {name: np.zeros(len(records), dtype=np.int32) for name in COLUMNS}
    for shard in shards_of(records):
        found = work.kept(shard)
        if found is None:
            return None
        fill(columns, found)
    return LengthTable(**columns)


def _work(records: Records, measuring: Measuring) -> ShardWork:
    whole = whole_files(records)
    return ShardWork(whole, keeper_of(whole, measuring.identity, KINDS), LengthLook(measuring))


def whole_files(records: Records) -> Records:
    """Return the records without a limit: shards never depend on how many are trained."""
    return replace(records, dataset=replace(records.dataset, limit=None))


def keeper_of(records: Records, identity: str, kinds: tuple[str, ...]) -> ShardKeeper:
    """Return where shards of these records are kept, with an identity of what measured them."""
    options = records.options
    cache = Path(options.cache_dir).expanduser() if options.cache_dir else default_cache_folder()
    return ShardKeeper.of(records, cache, identity, kinds)


def fill(columns: dict[str, np.ndarray], found: Found, names: Sequence[str] = COLUMNS) -> None:
    """Write a shard's columns to their place; records beyond the columns' end are left out."""
    for name in names:
        target = columns[name][found.shard.first : found.shard.stop]
        target[:] = found.arrays[name][: len(target)]


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
