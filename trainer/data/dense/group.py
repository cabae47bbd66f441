"""A question about one or several marked pictures."""

from dataclasses import dataclass

from trainer.data.errors import Source
from trainer.data.records import DenseRecord


@dataclass(frozen=True)
class DenseGroup:
    """The records of one user turn; the answer has an entry for each, in their order."""

    records: tuple[DenseRecord, ...]
    summarised: bool = False  # the answer holds summaries instead of objects

    @property
    def source(self) -> Source:
        """Where the first record lies; it stands for the group."""
        return self.records[0].source

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the records lie."""
        return tuple(record.source for record in self.records)
