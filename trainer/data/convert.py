"""Write records of any format as native JSONL."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from trainer.config.reading import ColumnsConfig, DataFormat
from trainer.data.errors import DataError, RecordError
from trainer.data.formats.recognise import FormatName
from trainer.data.formats.write import native_json
from trainer.data.moving import reference_from
from trainer.data.new_file import new_file, refuse_to_overwrite
from trainer.data.rows.open import HUB, HubSplit, open_rows
from trainer.data.rows.records import parse_rows
from trainer.data.rows.row import Rows

PROBLEMS_KEPT = 1000  # of those that are counted

Progress = Callable[[int, int | None, int], None]  # done, in all, records


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the records of a container are to be read."""

    format: DataFormat = "auto"
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    part: HubSplit = field(default_factory=HubSplit)
    limit_bytes: int = 256 * 2**20  # of one record


@dataclass(kw_only=True)
class Converted:
    """What came of it."""

    format: FormatName = "native"
    written: int = 0
    left_out: int = 0
    problems: list[RecordError] = field(default_factory=list)  # the first of them

    def leave_out(self, problem: RecordError) -> None:
        """Count a record that could not be read."""
        self.left_out += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)


def convert(
    name: str, target: Path, reading: Reading, *, force: bool, progress: Progress
) -> Converted:
    """Write the records of a file or hub data set as JSONL, one after the other.

    Args:
        name: A file, or `hub:OWNER/NAME`.
        target: The file to write; it appears when it is complete.
        reading: The format, where it is not to be recognised.
        force: Whether a file that is there is replaced.
        progress: Told after every record.

    Raises:
        DataError: It cannot be read or written, or holds no record; nothing is left behind.

    """
    refuse_to_overwrite(target, force=force)
    old, new = _folder_of(name, target), target.absolute().parent
    done = Converted()
    with open_rows(name, reading.part, reading.limit_bytes) as rows, new_file(target) as file:
        written, records = parse_rows(rows.rows, reading.format, reading.columns)
        done.format = written.name
        for count, (_, record) in enumerate(records, start=1):
            if isinstance(record, RecordError):
                done.leave_out(record)
            else:
                value = native_json(record, lambda image: reference_from(image, old, new))
                file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
                done.written += 1
            progress(position(rows, count), rows.total, count)
        if not done.written:
            why = f"; the first: {done.problems[0]}" if done.problems else ""
            raise DataError(f"{name}: no record could be read{why}")
    return done


def position(rows: Rows, count: int) -> int:
    """Return how far rows are read: bytes where they are known, else rows."""
    return count if rows.bytes_read is None else rows.bytes_read()


def _folder_of(name: str, target: Path) -> Path:
    """The folder that relative images start from; those of a hub data set are left as they are."""
    return (target if name.startswith(HUB) else Path(name)).absolute().parent
