"""Turn one line of data into a checked record."""

from typing import Any

import orjson

from trainer.data.errors import RecordError, Source
from trainer.data.formats.parts import json_kind, shown_keys
from trainer.data.formats.recognise import RecordFormat
from trainer.data.records import Record


def parse_record(line: bytes, source: Source, written: RecordFormat) -> Record:
    """Return the record in one line of JSONL (or one element of an array).

    Args:
        line: The record's bytes, UTF-8.
        source: Where they lie.
        written: The format of the file.

    Raises:
        RecordError: The line is no record of this format; says what is wrong and what to do.

    """
    value = load_object(line, source)
    if other := written.mistaken_for(value):
        what = f"only {shown_keys(value)}: it looks like {other}, the file like {written.name}"
        raise RecordError(source, what, "move it to a file of its own, or set data.format")
    return written.read(value, source)


def load_object(line: bytes, source: Source) -> dict[str, Any]:
    """Return the JSON object in a line.

    Raises:
        RecordError: It is broken, no UTF-8, or no object.

    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        what = f"broken JSON: {error.msg} (byte {error.pos} of the record)"
        raise RecordError(source, what, "write one JSON object a line, in UTF-8") from error
    if not isinstance(value, dict):
        raise RecordError(source, f"{json_kind(value)} instead of an object", "write {...} a line")
    return value
