"""Work through all records of a data set in processes, shard by shard, and keep what was found."""

import contextlib
import json
import os
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import orjson

from trainer.data.cache_room import note_use
from trainer.data.encoded import LONGEST_PATH
from trainer.data.reading import Records
from trainer.data.worker import Worker

SHARD_RECORDS = 1000
AHEAD = 2  # shards that wait for a process, each
FORMAT = 2
INSIDE = ("data:", "http:/", "https:")  # how references begin that name no file
NO_FILE = (-1, -1)

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Shard:
    """A stretch of the records of one file."""

    file: int  # its number in the data set
    number: int  # in its file
    first: int  # record of the data set
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True)
class Found:
    """What there is to know about the records of a shard."""

    shard: Shard
    arrays: Arrays
    fresh: bool  # looked at just now; else it was kept


def shards_of(records: Records) -> list[Shard]:
    """Return the shards that hold the records of a data set; they never cut a file differently."""
    shards: list[Shard] = []
    start = 0
    for number, file in enumerate(records.dataset.files):
        for place, first in enumerate(range(0, file.records, SHARD_RECORDS)):
            stop = min(first + SHARD_RECORDS, file.records)
            if start + first < len(records):
                shards.append(Shard(number, place, start + first, start + stop))
        start += file.records
    return shards


@dataclass(frozen=True)
class ShardKeeper:
    """Where the shards of each file are kept; named by content, so a moved file is known again."""

    folders: tuple[Path, ...]  # of each file of the data set
    kinds: tuple[str, ...]  # the first is written, all will do

    @classmethod
    def of(
        cls, records: Records, cache: Path, identity: str, kinds: tuple[str, ...]
    ) -> "ShardKeeper":
        """Return the keeper of what depends on the files and on an `identity` of all else."""
        folders = []
        for file, written in zip(records.dataset.files, records.formats, strict=True):
            key = [FORMAT, SHARD_RECORDS, file.sha256, file.records, written.name, identity]
            folders.append(cache / "shards" / sha256(json.dumps(key).encode()).hexdigest()[:32])
        return cls(tuple(folders), kinds)

    def load(self, shard: Shard, folder: Path) -> Arrays | None:
        """Return what was kept, unless a picture of the shard in `folder` has changed."""
        for kind in self.kinds:
            arrays = _load(self._path(shard, kind))
            if arrays is not None and _same_pictures(arrays, folder):
                note_use(self.folders[shard.file])
                return arrays
        return None

    def store(self, shard: Shard, arrays: Arrays) -> None:
        """Keep what was found; a folder that cannot be written costs only the next start."""
        path = self._path(shard, self.kinds[0])
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix="tmp-", delete=False) as file:
                try:
                    np.savez(file, allow_pickle=False, **arrays)
                    file.flush()
                    Path(file.name).replace(path)
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise

    def _path(self, shard: Shard, kind: str) -> Path:
        return self.folders[shard.file] / f"{shard.number:06d}.{kind}.npz"


def _load(path: Path) -> Arrays | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def picture_states(references: Sequence[str], folder: Path) -> Arrays:
    """Return which files pictures lie in, with size and time of each, to be kept with a shard."""
    named = [it for it in references if len(it) <= LONGEST_PATH and not it.startswith(INSIDE)]
    return {
        "picture_files": np.frombuffer(orjson.dumps(named), dtype=np.uint8),
        "picture_states": _states(named, folder),
    }


def _same_pictures(arrays: Arrays, folder: Path) -> bool:
    try:
        named = orjson.loads(arrays["picture_files"].tobytes())
        return np.array_equal(_states(named, folder), arrays["picture_states"])
    except (KeyError, ValueError):
        return False


def _states(named: Sequence[str], folder: Path) -> np.ndarray:
    """Size and time of files, int64 (len(named), 2)."""
    states = np.empty((len(named), 2), dtype=np.int64)
    for number, name in enumerate(named):
        try:
            status = os.stat(os.path.join(folder, name.removeprefix("file://")))  # noqa: PTH116, PTH118 - Path is five times slower
            states[number] = status.st_size, status.st_mtime_ns
        except (OSError, ValueError):
            states[number] = NO_FILE
    return states


Look = Callable[[Records, range], Arrays]  # what is to be known about a stretch of records


@dataclass(frozen=True)
class ShardWork:
    """Looks at shards, or finds what was kept of them; can be sent to another process."""

    records: Records
    keeper: ShardKeeper
    look: Look

    def __call__(self, shard: Shard, /) -> Found:
        """Return what there is to know about a shard; raises DataChanged."""
        if (kept := self.kept(shard)) is not None:
            return kept
        arrays = self.look(self.records, range(shard.first, shard.stop))
        self.keeper.store(shard, arrays)
        return Found(shard, arrays, fresh=True)

    def kept(self, shard: Shard) -> Found | None:
        """Return what was kept of a shard, None where nothing was or its pictures changed."""
        folder = Path(self.records.dataset.files[shard.file].path).parent
        arrays = self.keeper.load(shard, folder)
        return None if arrays is None else Found(shard, arrays, fresh=False)

    def describe(self, shard: Shard, /) -> str:
        """Return where a shard's records lie, for messages."""
        first = self.records.dataset.source(shard.first)
        return f"{len(shard)} records from {first} on"


def work_through(work: ShardWork, shards: Sequence[Shard], workers: int) -> Iterator[Found]:
    """Yield what there is to know about each shard, in order; what is done already is kept.

    Without `workers` the calling process does it all. Leaving the iterator ends the processes.

    Raises:
        DataChanged: A file is no longer the one that was indexed.
        WorkerFailed: A process died, or took too long.

    """
    if not workers or len(shards) < 2:
        yield from map(work, shards)
        return
    timeout_seconds = work.records.options.worker_timeout_seconds
    hands = [
        Worker[Shard, Found](number, work, timeout_seconds)
        for number in range(min(workers, len(shards)))
    ]
    try:
        yield from _in_order(hands, shards)
    finally:
        for hand in hands:
            hand.close()


def _in_order(hands: Sequence[Worker[Shard, Found]], shards: Sequence[Shard]) -> Iterator[Found]:
    idle = SimpleQueue[Worker[Shard, Found]]()
    for hand in hands:
        idle.put(hand)

    def ask(shard: Shard) -> Found:
        hand = idle.get()
        try:
            return hand.build(shard)
        finally:
            idle.put(hand)

    ahead: deque[Future[Found]] = deque()
    coming = iter(shards)
    threads = ThreadPoolExecutor(len(hands), "qvl-shards")
    try:
        while True:
            while len(ahead) < (1 + AHEAD) * len(hands) and (shard := next(coming, None)):
                ahead.append(threads.submit(ask, shard))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        for hand in hands:
            hand.kill()
        threads.shutdown(wait=True, cancel_futures=True)
