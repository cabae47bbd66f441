"""Columns of numbers that grow by a row at a time, for the series of a run."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from math import isnan, nan

from trainer.run.column import Column

MAX_COLUMNS = 256  # so that a stream of ever new names fills no memory


class Table:
    """Columns of doubles of equal length; an unknown value is NaN.

    A column appears with its first value and holds NaN in the rows before; past MAX_COLUMNS no
    more appear. The key column (steps or samples) is in ascending order.
    """

    def __init__(self, key: str) -> None:
        """Begin an empty table whose rows are ordered by the column `key`."""
        self.key = key
        self.columns: dict[str, Column] = {key: Column()}

    def __len__(self) -> int:
        return len(self.columns[self.key])

    def __getitem__(self, name: str) -> "memoryview[float]":
        """Return a column as it is now, without a copy; empty if nothing was ever put into it."""
        return (self.columns.get(name) or Column()).view()

    def append(self, row: Mapping[str, float | None]) -> None:
        """Add a row; rows whose key is not below the new one's are void and make room for it."""
        key = row[self.key]
        if key is None:
            return
        self._make_room(float(key))
        columns = self.columns
        if not row.keys() <= columns.keys():
            self._add_columns(row)
        get = row.get
        for name, column in columns.items():
            value = get(name)
            column.append(nan if value is None else value)

    def extend(self, block: Mapping[str, "array[float]"]) -> None:
        """Add rows by columns of equal length, as if row by row; their keys must ascend."""
        keys = block[self.key]
        if not keys:
            return
        self._make_room(keys[0])
        if not block.keys() <= self.columns.keys():
            self._add_columns(block)
        blank = array("d", [nan]) * len(keys)
        for name, column in self.columns.items():
            column.extend(block.get(name, blank))

    def keep_until(self, key: float) -> None:
        """Drop the rows whose key is above `key`."""
        self.cut(bisect_right(self.columns[self.key].glance(), key))

    def drop_first(self, rows: int) -> None:
        """Drop the oldest rows."""
        for column in self.columns.values():
            column.drop_first(rows)

    def cut(self, length: int) -> None:
        """Keep the first `length` rows."""
        for column in self.columns.values():
            column.cut(length)

    def last(self, name: str, rows: int) -> list[float]:
        """Return the known values of a column in the last `rows` rows."""
        column = self.columns.get(name)
        recent = column.glance()[-rows:] if column else ()
        return [value for value in recent if not isnan(value)]

    def _make_room(self, key: float) -> None:
        keys = self.columns[self.key].glance()
        if keys and key <= keys[-1]:
            self.cut(bisect_left(keys, key))

    def _add_columns(self, names: Iterable[str]) -> None:
        blank = array("d", [nan]) * len(self)
        for name in names:
            if name not in self.columns and len(self.columns) < MAX_COLUMNS:
                self.columns[name] = Column(blank)
