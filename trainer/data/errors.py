"""What can be wrong with data, and where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where a record lies."""

    file: str
    line: int  # counts from 1
    offset: int  # byte offset of the record in its file

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def named(sources: Sequence[Source], most: int = 4) -> str:
    """Return where the first of some records lie, and how many more there are."""
    more = f" and {len(sources) - most} more" if sources[most:] else ""
    return f"{', '.join(map(str, sources[:most]))}{more}"


class DataError(ValueError):
    """Data that cannot be used; the message says what to do."""


class DataChanged(DataError):
    """A data file is no longer the one that was indexed."""


class DataRefused(DataError):
    """A record that the configuration tells us to refuse rather than skip."""


class RecordError(DataError):
    """One record that cannot be used."""

    def __init__(self, source: Source, what: str, remedy: str) -> None:
        super().__init__(source, what, remedy)  # kept as arguments, so that it can be pickled
        self.source = source
        self.what = what
        self.remedy = remedy

    @property
    def reason(self) -> str:
        """What is wrong and what to do, without the place."""
        return f"{self.what}; {self.remedy}"

    def __str__(self) -> str:
        return f"{self.source} (byte {self.source.offset}): {self.reason}"


class OverLong(RecordError):
    """A record with more tokens than the configuration allows; nothing is ever cut."""


class WorkerFailed(RuntimeError):
    """A worker process died, hung or broke; the message names it and its records."""
