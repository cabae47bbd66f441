"""Read the rows of tables: CSV, Parquet files, and data sets of the hub."""

import base64
import csv
import io
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from trainer.data.errors import DataError, RecordError, Source
from trainer.data.rows.row import Row

ROWS_AT_ONCE = 64  # of a Parquet file; pictures in a row make them large
LISTS = ("messages", "conversations", "images", "image", "objects", "tools")  # JSON in CSV cells
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp"}


def rows_of_csv(path: Path, file: BinaryIO, limit_bytes: int) -> Iterator[Row]:
    """Yield a row for every row of a CSV file below its header; a `.tsv` file has tabs.

    Raises:
        DataError: The file has no header, or a quote that is never closed.

    """
    csv.field_size_limit(limit_bytes)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.DictReader(
        text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True
    )
    try:
        if not reader.fieldnames:
            raise DataError(f"{path}: it has no header; name the columns in its first line")
        line = reader.line_num + 1
        for cells in reader:
            yield _csv_row(Source(str(path), line, 0), cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: broken CSV: {error}; mend the row") from error
    finally:
        text.detach()  # else the file would be closed with the text


def _csv_row(source: Source, cells: dict[str | Any, Any]) -> Row:
    if None in cells or None in cells.values():
        more = "more" if None in cells else "fewer"
        what = f"{more} cells than the header has columns"
        return Row(source, problem=RecordError(source, what, "quote commas and line breaks"))
    value = {key: _cell(key, text) for key, text in cells.items()}
    try:
        return Row(source, orjson.dumps(value))
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        problem = RecordError(source, "text that is not UTF-8", "save the file as UTF-8")
        return Row(source, problem=problem)


def _cell(column: str, text: str) -> Any:
    """A cell as text; lists that are written as JSON as what they are."""
    if column not in LISTS or text[:1] not in "[{":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text  # a path may begin with a bracket


def rows_of_parquet(path: Path) -> tuple[Iterator[Row], int]:
    """Return the rows of a Parquet file and how many there are.

    Raises:
        DataError: pyarrow is not installed, or the file is broken.

    """
    need("pyarrow", "parquet", "Parquet files")
    import pyarrow
    import pyarrow.parquet

    # Values that are no text or no date of Python are found when they are asked for.
    broken = (pyarrow.ArrowException, OSError, ValueError, OverflowError)
    try:
        table = pyarrow.parquet.ParquetFile(path)
    except broken as error:
        raise DataError(f"{path}: no Parquet file can be read from it ({error})") from error

    def values() -> Iterator[dict[str, Any]]:
        try:
            for batch in table.iter_batches(batch_size=ROWS_AT_ONCE):
                yield from batch.to_pylist()
        except broken as error:
            raise DataError(f"{path}: broken Parquet ({error}); fetch it again") from error

    return rows_of_values(str(path), values()), table.metadata.num_rows


def rows_of_hub(name: str, config: str | None, split: str) -> tuple[Iterator[Row], int | None]:
    """Return the rows of a split of a hub data set, streamed, and how many there are if known.

    Args:
        name: A hub id, or a folder that `datasets` can read.
        config: The data set's configuration; None: its only one.
        split: The split.

    Raises:
        DataError: datasets is not installed, or it cannot load this.

    """
    need("datasets", "hub", "hub data sets")
    import datasets
    from datasets.exceptions import DatasetsError

    try:
        loaded = datasets.load_dataset(name, config, split=split, streaming=True)
    except (OSError, ValueError, DatasetsError) as error:
        raise DataError(f"{name}: `datasets` cannot load it ({error})") from error
    for column, feature in (loaded.features or {}).items():
        if isinstance(feature, datasets.Image):
            loaded = loaded.cast_column(column, datasets.Image(decode=False))
    known = (loaded.info.splits or {}).get(split)
    return rows_of_values(name, loaded), known.num_examples if known else None


def need(package: str, extra: str, what: str) -> None:
    """Raise DataError where an optional package is not installed."""
    if find_spec(package) is None:
        raise DataError(f"{what} need {package}; install it with `pip install 'qvl[{extra}]'`")


def rows_of_values(name: str, values: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """Yield a row for every value; its line is its number, from 1."""
    for number, value in enumerate(values, start=1):
        source = Source(name, number, 0)
        try:
            yield Row(source, orjson.dumps(_plain(value)))
        except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
            what = f"a value that is no JSON ({error})"
            yield Row(source, problem=RecordError(source, what, "leave the column out"))


def _plain(value: Any) -> Any:
    """A value without what is null, its images as data URIs."""
    if isinstance(value, bytes):
        kind = next((it for start, it in SIGNATURES.items() if value.startswith(start)), "unknown")
        return f"data:image/{kind};base64,{base64.b64encode(value).decode()}"
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value
