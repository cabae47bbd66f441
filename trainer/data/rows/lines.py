"""Read JSONL line by line, however long a line is."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from trainer.data.errors import RecordError, Source
from trainer.data.rows.row import Row
from trainer.data.scan import BLANK_BYTES, BLOCK_BYTES, UTF8_BOM


def rows_of_lines(path: Path, file: BinaryIO, limit_bytes: int) -> Iterator[Row]:
    """Yield a row for every line that is not blank; one over the limit is never held whole."""
    offset, number = 0, 1
    while line := file.readline(limit_bytes + len(UTF8_BOM) + 1):
        text = line.removeprefix(UTF8_BOM) if number == 1 else line
        source = Source(str(path), number, offset)
        length, end = len(line), line
        while not end.endswith(b"\n") and (more := file.readline(BLOCK_BYTES)):
            length, end = length + len(more), more
        record_bytes = length - end.endswith(b"\n") - len(line) + len(text)
        if record_bytes > limit_bytes:
            yield Row(source, problem=_too_long(source, record_bytes, limit_bytes))
        elif text.strip(BLANK_BYTES):
            yield Row(source, text)
        offset += length
        number += 1


def _too_long(source: Source, length: int, limit_bytes: int) -> RecordError:
    what = f"a record of {length} bytes, data.max_line_bytes is {limit_bytes}"
    return RecordError(source, what, "store images as files beside it, or raise the limit")
