"""Know where every record of a data file lies, and read one without reading the rest."""

import os
import time
import weakref
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trainer.data.errors import DataChanged, DataError, Source
from trainer.data.index_cache import cached_index, default_cache_folder, store_index
from trainer.data.json_array import locate_elements
from trainer.data.scan import BLANK_BYTES, Progress, Scan, scan_file

CLOCK_TICK_SECONDS = 0.02  # file times move in steps of up to 10 ms
FOREIGN_FORMATS = {
    b"\x1f\x8b": "is compressed with gzip; unpack it (gunzip)",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it (unzstd)",
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"PAR1": "is a Parquet file; convert it to JSONL (qvl data convert)",
    b"\xff\xfe": "is UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8)",
    b"\xfe\xff": "is UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8)",
}


class RecordTable(Protocol):
    """Where the records of one file lie."""

    @property
    def records(self) -> int:
        """How many there are."""
        ...

    def place(self, record: int) -> tuple[int, int, int]:
        """Return line (from 1), first byte and end of a record."""
        ...

    def sizes(self) -> np.ndarray:
        """Return the bytes of every record, int64."""
        ...


@dataclass(frozen=True, eq=False)
class LineTable:
    """One record a line; costs eight bytes a line."""

    newlines: np.ndarray  # int64, offsets of all line ends
    blank_lines: np.ndarray  # int64, numbers of lines without a record, from 0, ascending
    first: int
    size_bytes: int

    @property
    def records(self) -> int:
        """How many lines hold a record."""
        return len(self.newlines) + 1 - len(self.blank_lines)

    @cached_property
    def _records_before_blank_lines(self) -> np.ndarray:
        return self.blank_lines - np.arange(len(self.blank_lines))

    def place(self, record: int) -> tuple[int, int, int]:
        """Return line (from 1), first byte and end of a record."""
        blank_before = np.searchsorted(self._records_before_blank_lines, record, side="right")
        line = record + int(blank_before)
        start = int(self.newlines[line - 1]) + 1 if line else self.first
        end = int(self.newlines[line]) if line < len(self.newlines) else self.size_bytes
        return line + 1, start, end

    def sizes(self) -> np.ndarray:
        """Return the bytes of every record, int64."""
        starts = np.concatenate(([self.first], self.newlines + 1))
        ends = np.concatenate((self.newlines, [self.size_bytes]))
        return np.delete(ends - starts, self.blank_lines)


@dataclass(frozen=True, eq=False)
class ElementTable:
    """The elements of one JSON array."""

    lines: np.ndarray  # int64, from 1
    starts: np.ndarray  # int64, byte offsets
    ends: np.ndarray  # int64

    @property
    def records(self) -> int:
        """How many elements the array has."""
        return len(self.starts)

    def place(self, record: int) -> tuple[int, int, int]:
        """Return line (from 1), first byte and end of an element."""
        return int(self.lines[record]), int(self.starts[record]), int(self.ends[record])

    def sizes(self) -> np.ndarray:
        """Return the bytes of every record, int64."""
        return self.ends - self.starts


@dataclass(frozen=True, eq=False)
class FileIndex:
    """The records of one data file; can be sent to another process, which opens the file anew."""

    path: str
    size_bytes: int
    modified_ns: int
    sha256: str
    table: RecordTable
    cached: bool = False

    @property
    def records(self) -> int:
        """How many records the file holds."""
        return self.table.records

    def source(self, record: int) -> Source:
        """Return where a record lies."""
        line, start, _ = self.table.place(record)
        return Source(self.path, line, start)

    def record_bytes(self, record: int) -> int:
        """Return the length of a record in the file."""
        _, start, end = self.table.place(record)
        return end - start

    def read(self, record: int) -> bytes:
        """Return the bytes of a record.

        Raises:
            DataChanged: The file is gone, shrank or changed since it was indexed.

        """
        _, start, end = self.table.place(record)
        text = _read_exactly(self._descriptor, start, end)
        self._verify(os.fstat(self._descriptor))
        if len(text) < end - start:
            raise DataChanged(f"{self.path}: it ends before byte {end}; {_PUT_BACK}")
        return text

    @cached_property
    def _descriptor(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DataChanged(f"{self.path}: {error.strerror}; {_PUT_BACK}") from error
        weakref.finalize(self, os.close, descriptor).atexit = False
        return descriptor

    def _verify(self, now: os.stat_result) -> None:
        if now.st_size != self.size_bytes:
            raise DataChanged(
                f"{self.path}: it had {self.size_bytes} bytes when it was indexed, "
                f"now it has {now.st_size}; {_PUT_BACK}"
            )
        if now.st_mtime_ns != self.modified_ns:
            raise DataChanged(f"{self.path}: it was written to since it was indexed; {_PUT_BACK}")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_descriptor"}


_PUT_BACK = "put the file back as it was, or start a new run"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Several data files as one row of records, numbered from 0."""

    files: tuple[FileIndex, ...]
    limit: int | None = None  # the first N records only

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([file.records for file in self.files])

    @cached_property
    def sha256(self) -> str:
        """The hash of the files' hashes, in order."""
        return sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()

    def __len__(self) -> int:
        records = int(self._ends[-1]) if self.files else 0
        return records if self.limit is None else min(records, self.limit)

    def _locate(self, record: int) -> tuple[FileIndex, int]:
        assert 0 <= record < len(self), record
        number = self.file_number(record)
        return self.files[number], record - (int(self._ends[number - 1]) if number else 0)

    def file_number(self, record: int) -> int:
        """Return which of the files a record lies in."""
        return int(np.searchsorted(self._ends, record, side="right"))

    def source(self, record: int) -> Source:
        """Return where a record lies."""
        file, position = self._locate(record)
        return file.source(position)

    def record_bytes(self, record: int) -> int:
        """Return the length of a record in its file."""
        file, position = self._locate(record)
        return file.record_bytes(position)

    def read(self, record: int) -> bytes:
        """Return the bytes of a record; raises DataChanged."""
        file, position = self._locate(record)
        return file.read(position)

    def sizes(self) -> np.ndarray:
        """Return the bytes of every record, int64 (records,)."""
        return np.concatenate([file.table.sizes() for file in self.files])[: len(self)]


def index_file(
    path: str | Path,
    *,
    cache_dir: str | Path | None = None,
    max_array_bytes: int = 2**30,
    progress: Progress | None = None,
) -> FileIndex:
    """Return the index of a JSONL file or of a file that holds one JSON array.

    The file is read once, from end to end; after that its index comes from a cache, found by
    path, size and times.

    Raises:
        DataError: The file is missing, unreadable, of a foreign format, or an array that is
            broken or larger than `max_array_bytes`.

    """
    path = Path(path).absolute()
    cache = Path(cache_dir).expanduser() if cache_dir else default_cache_folder()
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: it is not a regular file; name a JSONL file or a JSON array")
    try:
        with path.open("rb", buffering=0) as file:
            _let_the_clock_tick(os.fstat(file.fileno()))
            before = os.fstat(file.fileno())
            head = file.read(4096)
            refuse_foreign_format(path, head)
            if starts_an_array(head):
                refuse_large_array(path, before.st_size, max_array_bytes)
            if (index := cached_index(cache, path, before)) is not None:
                return _from_cache(path, before, *index)
            file.seek(0)
            scan = scan_file(file, before.st_size, progress)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path and its permissions") from error
    if (scan.size_bytes, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DataChanged(f"{path}: it was written to while it was read; wait until it is complete")
    table = _element_table(path, scan) if starts_an_array(head) else _line_table(scan)
    store_index(cache, path, before, scan.sha256, _arrays_of(table))
    return FileIndex(str(path), before.st_size, before.st_mtime_ns, scan.sha256, table)


def starts_an_array(head: bytes) -> bool:
    """Whether the first thing in a file is a JSON array rather than a line of JSONL."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(BLANK_BYTES)[:1] == b"["


def refuse_large_array(path: Path, size_bytes: int, max_array_bytes: int) -> None:
    """Raise DataError for an array that cannot be loaded whole."""
    if size_bytes > max_array_bytes:
        raise DataError(
            f"{path}: a JSON array of {size_bytes} bytes, data.max_array_bytes is "
            f"{max_array_bytes}; convert it to JSONL (qvl data convert)"
        )


def refuse_foreign_format(path: Path, head: bytes) -> None:
    """Raise DataError for a file that is compressed, UTF-16 or Parquet."""
    for signature, remedy in FOREIGN_FORMATS.items():
        if head.startswith(signature):
            raise DataError(f"{path}: it {remedy}")


def _let_the_clock_tick(status: os.stat_result) -> None:
    """Wait until a later write is sure to get a later time than the file has now."""
    age_seconds = time.time() - status.st_mtime
    if 0 <= age_seconds < CLOCK_TICK_SECONDS:
        time.sleep(CLOCK_TICK_SECONDS - age_seconds)


def _line_table(scan: Scan) -> LineTable:
    return LineTable(scan.newlines, scan.blank_lines, scan.first, scan.size_bytes)


def _element_table(path: Path, scan: Scan) -> ElementTable:
    starts, ends = locate_elements(path, scan.first)
    lines = np.searchsorted(scan.newlines, starts) + 1
    return ElementTable(lines.astype(np.int64), starts, ends)


def _arrays_of(table: LineTable | ElementTable) -> dict[str, np.ndarray]:
    if isinstance(table, ElementTable):
        return {"lines": table.lines, "starts": table.starts, "ends": table.ends}
    return {
        "newlines": table.newlines,
        "blank_lines": table.blank_lines,
        "bounds": np.array([table.first, table.size_bytes], dtype=np.int64),
    }


def _from_cache(
    path: Path, status: os.stat_result, content_sha256: str, arrays: dict[str, np.ndarray]
) -> FileIndex:
    if "starts" in arrays:
        table = ElementTable(arrays["lines"], arrays["starts"], arrays["ends"])
    else:
        first, size_bytes = (int(bound) for bound in arrays["bounds"])
        table = LineTable(arrays["newlines"], arrays["blank_lines"], first, size_bytes)
    return FileIndex(
        str(path), status.st_size, status.st_mtime_ns, content_sha256, table, cached=True
    )


def _read_exactly(descriptor: int, start: int, end: int) -> bytes:
    """Read a span; one `pread` gives at most 2 GB. Shorter only at the end of the file."""
    pieces: list[bytes] = []
    while start < end and (piece := os.pread(descriptor, end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
