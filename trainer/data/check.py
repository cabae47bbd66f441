"""Look at data files before a run begins, in a moment and without a model."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from trainer.config.schema import DataConfig
from trainer.data.errors import DataError, RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat
from trainer.data.index import refuse_foreign_format, refuse_large_array, starts_an_array
from trainer.data.json_array import first_element
from trainer.data.reading import format_of_lines
from trainer.data.rows.lines import rows_of_lines
from trainer.data.rows.row import Row
from trainer.data.scan import BLOCK_BYTES

RECORDS_TRIED = 16  # one broken record is no reason to refuse a file; as many are


def check_data(data: DataConfig) -> None:
    """Make sure that every data file can be read and begins with records.

    Raises:
        DataError: Some cannot; the message lists all of them, one a line.

    """
    problems = [
        problem
        for path in (*data.train, *data.validation)
        if (problem := _problem_with(Path(path), data)) is not None
    ]
    if problems:
        raise DataError("\n".join(problems))


def _problem_with(path: Path, data: DataConfig) -> str | None:
    try:
        if not path.is_file():
            missing = "it is not a regular file" if path.exists() else "there is no such file"
            return f"{path}: {missing}; name a JSONL file or a JSON array"
        return _problem_with_records(path, data)
    except OSError as error:
        return f"{path}: {error.strerror}; check its permissions"
    except DataError as error:
        return str(error)


def _problem_with_records(path: Path, data: DataConfig) -> str | None:
    first_problem = None
    written = _format(path, data)
    for row in _first_records(path, data):
        try:
            if row.problem is not None:
                raise row.problem
            parse_record(row.line, row.source, written)
        except RecordError as error:
            first_problem = first_problem or str(error)
            if data.bad_records == "refuse":
                break
        else:
            return None
    return first_problem or f"{path}: it holds no record; write one JSON object a line"


def _format(path: Path, data: DataConfig) -> RecordFormat:
    lines = (row.line for row in _first_records(path, data)) if data.format == "auto" else ()
    return format_of_lines(lines, data)


def _first_records(path: Path, data: DataConfig) -> Iterator[Row]:
    with path.open("rb") as file:
        head = file.peek(4096)[:4096]
        refuse_foreign_format(path, head)
        if starts_an_array(head):
            refuse_large_array(path, path.stat().st_size, data.max_array_bytes)
            yield from _first_of_array(path, file)
        else:
            yield from islice(rows_of_lines(path, file, data.max_line_bytes), RECORDS_TRIED)


def _first_of_array(path: Path, file: BinaryIO) -> Iterator[Row]:
    head = b""
    while True:
        more = file.read(max(BLOCK_BYTES, 3 * len(head)))
        head += more
        text = head.decode("latin-1")  # a byte a character: positions are byte offsets
        try:
            element = first_element(path, text)
        except DataError:
            if not more:
                raise
            continue
        if element is not None:
            start, end = element
            source = Source(str(path), head.count(b"\n", 0, start) + 1, start)
            yield Row(source, head[start:end])
        return
