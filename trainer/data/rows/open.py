"""Open whatever holds records, by what it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trainer.data.errors import DataError
from trainer.data.index import refuse_foreign_format, starts_an_array
from trainer.data.rows.json_values import JsonText, go_to_data, rows_of_array
from trainer.data.rows.lines import rows_of_lines
from trainer.data.rows.row import Row, Rows
from trainer.data.rows.tables import rows_of_csv, rows_of_hub, rows_of_parquet

HUB = "hub:"
HEAD_BYTES = 4096
PARQUET = b"PAR1"
TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class HubSplit:
    """Which part of a hub data set is meant."""

    config: str | None = None
    split: str = "train"


@contextmanager
def open_rows(name: str, part: HubSplit, limit_bytes: int) -> Iterator[Rows]:
    """Return the rows of a file, or of a hub data set named `hub:OWNER/NAME`.

    A file is JSONL, a JSON array, a JSON object with the array under `data`, CSV or Parquet.

    Raises:
        DataError: It cannot be read; the message says what to do. Also while rows are read.

    """
    if name.startswith(HUB):
        rows, total = rows_of_hub(name.removeprefix(HUB), part.config, part.split)
        yield Rows(rows, None, total)
        return
    path = Path(name)
    if not path.is_file():
        missing = "it is not a regular file" if path.exists() else "there is no such file"
        raise DataError(f"{path}: {missing}; name a file, or a hub data set as {HUB}OWNER/NAME")
    try:
        with path.open("rb") as file:
            yield _rows_of_file(path, file, limit_bytes)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path and its permissions") from error


def _rows_of_file(path: Path, file: BinaryIO, limit_bytes: int) -> Rows:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(PARQUET):
        rows, total = rows_of_parquet(path)
        return Rows(rows, None, total)
    refuse_foreign_format(path, head)
    size_bytes = path.stat().st_size
    return Rows(_rows_of_text(path, file, head, limit_bytes), file.tell, size_bytes)


def _rows_of_text(path: Path, file: BinaryIO, head: bytes, limit_bytes: int) -> Iterator[Row]:
    if path.suffix.lower() in TABLES:
        return rows_of_csv(path, file, limit_bytes)
    text = JsonText(path, file, limit_bytes)
    if starts_an_array(head) or go_to_data(text):
        return rows_of_array(text)
    file.seek(0)
    return rows_of_lines(path, file, limit_bytes)
