"""The lines of a log: which there are, which are shown, on which rows, and which match a search."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from qvl_tui.widgets.cells import cells_of, displayable, rows_of

KEPT_LINES = 20_000
TRIMMED_LINES = 4_000  # dropped at once, so that dropping is rare

Origin = Literal["event", "step", "console", "note"]
Which = Literal["all", "console", "events"]
ORIGINS: dict[Which, frozenset[Origin]] = {
    "all": frozenset[Origin](("event", "step", "console", "note")),
    "console": frozenset[Origin](("console", "note")),
    "events": frozenset[Origin](("event", "step", "note")),
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, sanitised."""

    origin: Origin
    text: str
    clock: str = ""  # `21:04:11`; empty when nobody knows
    cells: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", displayable(self.text))
        object.__setattr__(self, "cells", cells_of(self.text))


class LogLines:
    """The newest lines, numbered from the first there ever was; the last may be unfinished."""

    def __init__(self, older_note: str) -> None:
        """Begin with none; `older_note` is said at the top once lines were dropped."""
        self.lines: list[LogLine] = []
        self.dropped = 0  # lines before `lines[0]`
        self.finished = 0  # the number after the last line that will not change
        self._older_note = older_note

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, number: int) -> LogLine:
        return self.lines[number - self.dropped]

    @property
    def end(self) -> int:
        """The number after the last line."""
        return self.dropped + len(self.lines)

    def append(self, new: Iterable[LogLine], unfinished: LogLine | None = None) -> None:
        """Add lines before the unfinished one, which is replaced."""
        del self.lines[self.finished - self.dropped :]
        self.lines.extend(new)
        if len(self.lines) > KEPT_LINES:
            self._trim()
        self.finished = self.end
        if unfinished is not None:
            self.lines.append(unfinished)

    def _trim(self) -> None:
        surplus = len(self.lines) - KEPT_LINES + TRIMMED_LINES
        del self.lines[:surplus]
        self.dropped += surplus
        self.lines[0] = LogLine("note", self._older_note)


class Rows:
    """The lines that are shown, each with the rows it takes."""

    def __init__(self, lines: LogLines, which: Which, width: int | None) -> None:
        """Lay the lines out, wrapped at `width` cells or, with None, one row each."""
        self.numbers: list[int] = []  # of the lines shown
        self.widest = 0  # cells
        self._lines, self._origins, self._width = lines, ORIGINS[which], width
        self._ends: list[int] = []  # the row after each line, when wrapped
        self._dropped, self._laid_out = lines.dropped, lines.dropped
        self.update()

    def __len__(self) -> int:
        if self._width is None:
            return len(self.numbers)
        return self._ends[-1] if self._ends else 0

    def update(self) -> None:
        """Take in what was added to the lines."""
        if self._lines.dropped != self._dropped:
            self._dropped = self._laid_out = self._lines.dropped
            self.numbers.clear()
            self._ends.clear()
        for number in range(self._laid_out, self._lines.end):
            line = self._lines[number]
            if line.origin in self._origins:
                self._add(number, line)
        self._laid_out = self._lines.end

    def forget_from(self, number: int) -> None:
        """Leave out the lines from a number on; they will come anew."""
        keep = bisect_left(self.numbers, number)
        del self.numbers[keep:], self._ends[keep:]
        self._laid_out = min(self._laid_out, max(number, self._dropped))

    def _add(self, number: int, line: LogLine) -> None:
        self.numbers.append(number)
        self.widest = max(self.widest, line.cells)
        if self._width is not None:
            rows = rows_of(line.text, line.cells, self._width)
            self._ends.append(rows + (self._ends[-1] if self._ends else 0))

    def at(self, row: int) -> tuple[int, int]:
        """Return the number of the line on a row, and which of its rows that is."""
        if self._width is None:
            return self.numbers[row], 0
        index = bisect_right(self._ends, row)
        return self.numbers[index], row - (self._ends[index - 1] if index else 0)

    def rows(self, number: int) -> tuple[int, int]:
        """Return the first row of a line and the row after it; of the next one if it is hidden."""
        index = min(bisect_left(self.numbers, number), len(self.numbers) - 1)
        if self._width is None:
            return index, index + 1
        return self._ends[index - 1] if index else 0, self._ends[index]

    def neighbour(self, number: int, distance: int) -> int:
        """Return the number of the line that is so many shown lines further down, at most."""
        index = min(bisect_left(self.numbers, number), len(self.numbers) - 1) + distance
        return self.numbers[max(0, min(index, len(self.numbers) - 1))]

    def between(self, first: int, last: int) -> Sequence[int]:
        """Return the numbers of the shown lines from one to another."""
        return self.numbers[bisect_left(self.numbers, first) : bisect_right(self.numbers, last)]


class Search:
    """Where a text occurs in the shown lines; capitals count when the text has any."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.matches: list[int] = []  # numbers of lines
        self._pattern = re.compile(re.escape(text), re.IGNORECASE if text.islower() else 0)
        self._searched = 0

    def update(self, lines: LogLines, rows: Rows) -> None:
        """Search what was added since; all of it when the rows were laid out anew."""
        first = bisect_left(rows.numbers, self._searched)
        for number in islice(rows.numbers, first, None):
            if self._pattern.search(lines[number].text):
                self.matches.append(number)
        self._searched = lines.end

    def forget_from(self, number: int) -> None:
        """Leave out the lines from a number on."""
        del self.matches[bisect_left(self.matches, number) :]
        self._searched = min(self._searched, number)

    def forget_before(self, number: int) -> None:
        """Leave out the lines before a number."""
        del self.matches[: bisect_left(self.matches, number)]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where it occurs in a text."""
        return [match.span() for match in self._pattern.finditer(text)]

    def from_(self, number: int, *, backwards: bool) -> int | None:
        """Return the next matching line after (before) a line, round the end if need be."""
        if not self.matches:
            return None
        if backwards:
            return self.matches[bisect_left(self.matches, number) - 1]
        return self.matches[bisect_right(self.matches, number) % len(self.matches)]

    def place(self, number: int) -> int | None:
        """Return which match a line is, from 1."""
        index = bisect_left(self.matches, number)
        found = index < len(self.matches) and self.matches[index] == number
        return index + 1 if found else None
