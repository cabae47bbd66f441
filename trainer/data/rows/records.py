"""Parse the rows of a container by the one format they are in."""

from collections.abc import Iterator
from itertools import chain

import orjson

from trainer.config.reading import ColumnsConfig, DataFormat
from trainer.data.errors import RecordError
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat, common_format
from trainer.data.records import Record
from trainer.data.rows.row import Row

FIRST_ROWS = 64  # looked at to tell the format
FIRST_BYTES = 64 * 2**20  # fewer, where they are large


def parse_rows(
    rows: Iterator[Row], named: DataFormat, columns: ColumnsConfig
) -> tuple[RecordFormat, Iterator[tuple[Row, Record | RecordError]]]:
    """Return the format of rows and each row with its record, or with what is wrong with it."""
    first = list(_first(rows)) if named == "auto" else []
    name = common_format(map(_value, first), columns) if named == "auto" else named
    written = RecordFormat(name, columns)
    return written, ((row, _record(row, written)) for row in chain(first, rows))


def _first(rows: Iterator[Row]) -> Iterator[Row]:
    read_bytes = 0
    for number, row in enumerate(rows, start=1):
        yield row
        read_bytes += len(row.line)
        if number == FIRST_ROWS or read_bytes > FIRST_BYTES:
            return


def _value(row: Row) -> object:
    try:
        return orjson.loads(row.line) if row.problem is None else None
    except orjson.JSONDecodeError:
        return None


def _record(row: Row, written: RecordFormat) -> Record | RecordError:
    if row.problem is not None:
        return row.problem
    try:
        return parse_record(row.line, row.source, written)
    except RecordError as error:
        return error
