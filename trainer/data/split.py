"""Take a validation file out of a data file, with no record on both sides."""

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from trainer.data.convert import Converted, Progress, Reading, position
from trainer.data.errors import DataChanged, DataError, RecordError
from trainer.data.formats.write import native_json
from trainer.data.new_file import new_file, refuse_to_overwrite
from trainer.data.records import Record
from trainer.data.rows.open import HUB, open_rows
from trainer.data.rows.records import parse_rows
from trainer.data.rows.row import Row
from trainer.data.scan import BLANK_BYTES

HASH_BYTES = 8  # two contents with one hash are merely kept together


@dataclass(frozen=True, kw_only=True)
class Share:
    """How much goes to validation, and by which draw."""

    records: int | None = None  # so many; None: by the share
    share: float = 0.05
    seed: int = 0

    def of(self, total: int) -> int:
        """Return how many of `total` records are wanted; raises DataError."""
        wanted = self.records if self.records is not None else max(1, round(self.share * total))
        if wanted >= total:
            raise DataError(f"{wanted} of {total} records for validation leave none to train on")
        return wanted


@dataclass(kw_only=True)
class SplitDone:
    """What came of it."""

    read: Converted = field(default_factory=Converted)  # what could and could not be read
    train: int = 0
    validation: int = 0
    repeated: int = 0  # records that say the same as another; they stay on its side


def split_names(path: Path) -> tuple[Path, Path]:
    """Return the files for training and validation; beside it, images are found as before."""
    return path.with_suffix(".train.jsonl"), path.with_suffix(".validation.jsonl")


def split(
    path: Path, share: Share, reading: Reading, *, force: bool, progress: Progress
) -> SplitDone:
    """Write the records of a file into two files beside it, as they are, in their order.

    The file is read twice; eight bytes of every record are kept. Records with the same content
    never come apart, whatever the order of their keys.

    Raises:
        DataError: The file cannot be read, or has too few records; nothing is left behind.

    """
    if str(path).startswith(HUB):
        raise DataError(f"{path}: write the data set to a file first (qvl data convert)")
    train, validation = split_names(path)
    for target in (train, validation):
        refuse_to_overwrite(target, force=force)
    done = SplitDone()
    state = _state(path)
    hashes = _hashes(path, share.seed, reading, done, progress)
    goes_to_validation = _choose(hashes, share, done)
    with new_file(train) as kept, new_file(validation) as taken:
        for line, to_validation in zip(
            _lines(path, reading, progress), goes_to_validation, strict=False
        ):
            (taken if to_validation else kept).write(line)
        if _state(path) != state:
            raise DataChanged(f"{path}: it was written to while it was read; begin again")
    return done


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written to; None: there is none."""
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else None


def _records(
    path: Path, reading: Reading, progress: Progress
) -> Iterator[tuple[Row, Record | RecordError]]:
    with open_rows(str(path), reading.part, reading.limit_bytes) as rows:
        _, records = parse_rows(rows.rows, reading.format, reading.columns)
        for count, found in enumerate(records, start=1):
            yield found
            progress(position(rows, count), rows.total, count)


def _hashes(
    path: Path, seed: int, reading: Reading, done: SplitDone, progress: Progress
) -> np.ndarray:
    """A hash of each record's content, uint64 (records,); another seed gives other hashes."""
    hashes = array("Q")
    key = seed.to_bytes(8, "little")
    for _, record in _records(path, reading, progress):
        if isinstance(record, RecordError):
            done.read.leave_out(record)
            continue
        content = orjson.dumps(native_json(record, str), option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(content, digest_size=HASH_BYTES, key=key).digest()
        hashes.append(int.from_bytes(digest, "little"))
        done.read.written += 1
    return np.frombuffer(hashes, dtype=np.uint64)


def _choose(hashes: np.ndarray, share: Share, done: SplitDone) -> np.ndarray:
    """Which records go to validation, bool (records,).

    Contents are drawn in the order of their hashes, those that repeat as a whole, until there
    are as many records as are wanted; a content with more copies than are wanted is passed over.
    """
    if not len(hashes):
        why = f"; the first: {done.read.problems[0]}" if done.read.problems else ""
        raise DataError(f"no record could be read{why}")
    wanted = share.of(len(hashes))
    _, content, copies = np.unique(hashes, return_inverse=True, return_counts=True)
    taken = np.zeros(len(copies), dtype=bool)
    left = wanted
    for number in range(len(copies)):
        if copies[number] <= left:
            taken[number] = True
            left -= int(copies[number])
        if not left:
            break
    chosen = taken[content]
    done.validation, done.repeated = int(chosen.sum()), int((copies - 1).sum())
    done.train = len(hashes) - done.validation
    if not done.validation:
        raise DataError("all records repeat too often to be taken apart; remove the copies")
    return chosen


def _lines(path: Path, reading: Reading, progress: Progress) -> Iterator[bytes]:
    """The records that can be read, each as one line."""
    for row, record in _records(path, reading, progress):
        if not isinstance(record, RecordError):
            line = row.line.strip(BLANK_BYTES)
            yield (orjson.dumps(orjson.loads(line)) if b"\n" in line else line) + b"\n"
