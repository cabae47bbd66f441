"""One column of numbers that grows, and can be looked at without a copy."""

import mmap
from array import array
from collections.abc import Sequence
from typing import cast

LEAST_ROWS = 64
ROWS_OF_PAGES = 8_192  # from which room is asked of the system, page by page
ROW_BYTES = 8


class Column:
    """Doubles in one piece of memory, some of it free for the rows to come.

    An `array` cannot grow while somebody looks at it, so a chart would have to copy it. Here the
    column moves to larger room, and a view keeps the old: rows that it covers are never written
    again.
    """

    __slots__ = ("_length", "_room", "_viewed")

    def __init__(self, values: "array[float] | None" = None) -> None:
        """Begin with some values, or empty."""
        self._room = _room(LEAST_ROWS)
        self._length = 0
        self._viewed = 0  # rows that somebody may look at
        if values:
            self.extend(values)

    def __len__(self) -> int:
        return self._length

    def view(self) -> "memoryview[float]":
        """Return the numbers as they are now, whatever becomes of the column."""
        self._viewed = max(self._viewed, self._length)
        return cast("memoryview[float]", self._room[: self._length].toreadonly())

    def glance(self) -> Sequence[float]:
        """Return the numbers for those who are done with them before the column changes."""
        return self._room[: self._length]

    def append(self, value: float) -> None:
        """Add a number."""
        length = self._length
        if length == len(self._room):
            self._move(0, length + 1)
        self._room[length] = value
        self._length = length + 1

    def extend(self, values: "array[float]") -> None:
        """Add numbers."""
        begin, end = self._length, self._length + len(values)
        if end > len(self._room):
            self._move(0, end)
        self._room[begin:end] = memoryview(values)
        self._length = end

    def cut(self, length: int) -> None:
        """Keep the first `length` numbers."""
        self._length = min(length, self._length)
        if self._length < self._viewed:
            self._move(0, self._length)

    def drop_first(self, rows: int) -> None:
        """Drop the oldest numbers."""
        begin = min(rows, self._length)
        self._length -= begin
        self._move(begin, self._length)

    def _move(self, begin: int, rows: int) -> None:
        """Go to new room for so many rows and a quarter more, with those from `begin` on."""
        room = _room(max(rows + rows // 4, LEAST_ROWS))
        room[: self._length] = self._room[begin : begin + self._length]
        self._room, self._viewed = room, 0


def _room(rows: int) -> "memoryview[float]":
    """Return room for doubles; large room takes no memory before it is written to."""
    if rows < ROWS_OF_PAGES:
        return memoryview(bytearray(rows * ROW_BYTES)).cast("d")
    pages = mmap.mmap(-1, rows * ROW_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return memoryview(pages).cast("d")
