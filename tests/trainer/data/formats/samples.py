"""The sample files of every format, and records read out of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from trainer.config.reading import ColumnsConfig, DataFormat
from trainer.data.errors import RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import FormatName, RecordFormat
from trainer.data.records import Record
from trainer.data.rows.open import HubSplit, open_rows
from trainer.data.rows.records import parse_rows

SAMPLES = Path(__file__).parent.parent / "samples"
FORMATS: dict[str, FormatName] = {
    "native.jsonl": "native",
    "openai.jsonl": "native",
    "llava.json": "llava",
    "swift.jsonl": "swift",
    "dense.jsonl": "dense",
    "instruction.csv": "instruction",
    "instruction.parquet": "instruction",
}
SOURCE = Source("train.jsonl", 17, 4242)
ANYWHERE = Source("", 0, 0)


def parse(value: Any, name: FormatName, **columns: str) -> Any:
    written = RecordFormat(name, ColumnsConfig(**columns))
    return parse_record(orjson.dumps(value), SOURCE, written)


def read_file(path: Path, named: DataFormat = "auto") -> tuple[FormatName, list[Record]]:
    """Return the format and the records of a file; the first bad one is raised."""
    with open_rows(str(path), HubSplit(), 2**20) as rows:
        written, found = parse_rows(rows.rows, named, ColumnsConfig())
        records = [_good(record) for _, record in found]
    return written.name, records


def _good(record: Record | RecordError) -> Record:
    if isinstance(record, RecordError):
        raise record
    return record


def contents(records: list[Record]) -> list[Record]:
    """Return records without where they lie."""
    return [replace(record, source=ANYWHERE) for record in records]
