"""Read the records of data files, each by the format of its file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from trainer.config.schema import DataConfig
from trainer.data.errors import RecordError
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import FormatName, RecordFormat, common_format
from trainer.data.index import Dataset, FileIndex
from trainer.data.records import Record

FIRST_RECORDS, FURTHER_RECORDS = 16, 16  # looked at to tell a file's format
LARGEST_BYTES = 2**24  # of a record that is looked at for it


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a data set, by their numbers; can be sent to another process."""

    dataset: Dataset
    options: DataConfig
    formats: tuple[RecordFormat, ...]  # of each file

    @classmethod
    def of(cls, dataset: Dataset, options: DataConfig) -> "Records":
        """Return the records of a data set, the formats of its files recognised where not named.

        Raises:
            DataChanged: A file is no longer the one that was indexed.

        """
        return cls(dataset, options, tuple(file_format(it, options) for it in dataset.files))

    def __len__(self) -> int:
        return len(self.dataset)

    def numbers_of(self, name: FormatName) -> Iterator[range]:
        """Yield the record numbers of each file of a format."""
        start = 0
        for file, written in zip(self.dataset.files, self.formats, strict=True):
            stop = start + file.records
            if written.name == name and start < len(self):
                yield range(start, min(stop, len(self)))
            start = stop

    def __getitem__(self, record: int) -> Record:
        """Return a record.

        Raises:
            RecordError: It cannot be used; says what is wrong and what to do.
            DataChanged: Its file is no longer the one that was indexed.

        """
        source = self.dataset.source(record)
        length, limit = self.dataset.record_bytes(record), self.options.max_line_bytes
        if length > limit:
            what = f"a record of {length} bytes, data.max_line_bytes is {limit}"
            raise RecordError(source, what, "store images as files beside it, or raise the limit")
        written = self.formats[self.dataset.file_number(record)]
        return parse_record(self.dataset.read(record), source, written)


def file_format(file: FileIndex, options: DataConfig) -> RecordFormat:
    """Return the format of a file: the one that is named, else what its records look like.

    Its first records are looked at, and some that are spread over the file. Raises DataChanged.
    """
    lines = (file.read(number) for number in _looked_at(file, options.max_line_bytes))
    return format_of_lines(lines, options)


def format_of_lines(lines: Iterable[bytes], options: DataConfig) -> RecordFormat:
    """Return the format that is named, else what some lines of a file look like."""
    if options.format != "auto":
        return RecordFormat(options.format, options.columns)
    values = (_value(line) for line in lines if len(line) <= LARGEST_BYTES)
    return RecordFormat(common_format(values, options.columns), options.columns)


def _looked_at(file: FileIndex, limit_bytes: int) -> Iterator[int]:
    first = range(min(FIRST_RECORDS, file.records))
    further = np.linspace(0, file.records - 1, FURTHER_RECORDS, dtype=int).tolist()
    limit = min(limit_bytes, LARGEST_BYTES)
    for number in dict.fromkeys((*first, *(further if file.records else ()))):
        if file.record_bytes(number) <= limit:
            yield number


def _value(line: bytes) -> object:
    """The JSON in a line, None where it is broken; reading the record says why."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
