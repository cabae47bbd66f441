"""One record in a container, before it is parsed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trainer.data.errors import RecordError, Source


@dataclass(frozen=True)
class Row:
    """A record as JSON, or why there is none."""

    source: Source
    line: bytes = b""
    problem: RecordError | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of a container, to be read once."""

    rows: Iterator[Row]
    bytes_read: Callable[[], int] | None  # of a file; None: rows are counted
    total: int | None  # bytes of the file, or rows; None: not known
