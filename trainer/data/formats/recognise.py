"""Tell the formats of records apart by their keys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.config.reading import ColumnsConfig
from trainer.data.errors import Source
from trainer.data.formats import dense, instruction, llava, native, swift
from trainer.data.records import Record

FormatName = Literal["native", "llava", "swift", "dense", "instruction"]


@dataclass(frozen=True)
class RecordFormat:
    """How the records of one file are written."""

    name: FormatName
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)

    def mistaken_for(self, value: dict[str, Any]) -> FormatName | None:
        """Return the format that an object of another one looks like; None: it may be read."""
        seen = format_of(value, self.columns)
        if seen == "native" and self._reads_native(value):
            return None
        return None if seen == self.name else seen

    def _reads_native(self, value: dict[str, Any]) -> bool:
        """Whether a native record says the same in this format too."""
        if self.name == "instruction":
            return instruction.claims(value, self.columns)
        return self.name == "swift" and swift.claims(value)

    def read(self, value: dict[str, Any], source: Source) -> Record:
        """Return the record in an object; raises RecordError."""
        if self.name == "instruction":
            return instruction.read(value, source, self.columns)
        return _READ[self.name](value, source)


_READ: dict[str, Callable[[dict[str, Any], Source], Record]] = {
    "native": native.read,
    "llava": llava.read,
    "swift": swift.read,
    "dense": dense.read,
}


def format_of(value: dict[str, Any], columns: ColumnsConfig) -> FormatName | None:
    """Return the format that an object looks like, None where it looks like none."""
    mapped = any(name is not None for _, name in columns)
    if mapped and instruction.claims(value, columns):
        return "instruction"
    if llava.claims(value):
        return "llava"
    if swift.claims(value):
        return "native" if native.claims(value) else "swift"
    if dense.claims(value):
        return "dense"
    if instruction.claims(value, columns) and not instruction.is_plain_pair(value):
        return "instruction"
    return "native" if native.claims(value) else None


def common_format(values: Iterable[Any], columns: ColumnsConfig) -> FormatName:
    """Return the format of a file that begins with these values; native where none is known.

    Messages without images are the same in the native format and in ms-swift's, so one record
    with images beside its messages makes the file ms-swift's.
    """
    known: list[FormatName] = []
    for value in values:
        seen = format_of(value, columns) if isinstance(value, dict) else None
        if seen is not None:
            known.append(seen)
    if known[:1] == ["native"] and "swift" in known:
        return "swift"
    return known[0] if known else "native"
