"""The records of a data set in a list of any length; what is in sight is asked for."""

from pathlib import PurePath
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from qvl_tui.widgets.cells import cells_of, cut, displayable
from qvl_tui.widgets.pane import Pane
from trainer.run.text import sanitise
from trainer.words.numbers import count

Row = dict[str, Any]  # as `qvl data show` tells it

HEAD_CHARACTERS = 240


class RecordList(Pane, can_focus=True):
    """One line a record; the cursor's is the one that is looked at."""

    title: ClassVar[str] = "Records"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False, id="records.up", tooltip="The record before"),
        Binding("down", "move(1)", "down", show=False, id="records.down", tooltip="Next record"),
        Binding(
            "pageup", "page(-1)", "page up", show=False, id="records.page-up", tooltip="A page up"
        ),
        Binding(
            "pagedown",
            "page(1)",
            "page down",
            show=False,
            id="records.page-down",
            tooltip="A page down",
        ),
        Binding("home", "edge(0)", "first", show=False, id="records.first", tooltip="First record"),
        Binding("end", "edge(1)", "last", show=False, id="records.last", tooltip="Last record"),
    ]

    class Chosen(Message):
        """The cursor is on another record."""

        def __init__(self, record: int) -> None:
            self.record = record  # from 1
            super().__init__()

    class Wanted(Message):
        """Lines are in sight that are not known."""

        def __init__(self, first: int, count: int) -> None:
            self.first = first  # from 1
            self.count = count
            super().__init__()

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.records = 0
        self.record = 1  # under the cursor, from 1
        self.rows: dict[int, Row] = {}
        self._top = 1  # the first in sight
        self._asked = range(0)  # lines that are on their way

    def show_split(self, records: int, record: int) -> None:
        """Begin with another split."""
        self.records, self.rows = records, {}
        self._top, self._asked = 1, range(0)
        self.go_to(record)

    def take(self, rows: list[Row]) -> None:
        """Take lines that were asked for."""
        self.rows.update({row["record"]: row for row in rows})
        self._asked = range(0)
        self.refresh()

    def mark(self, record: int, problem: str | None) -> None:
        """Correct what is known of a record's problem: it was looked at closely."""
        row = self.rows.get(record)
        if row is not None and row["problem"] != problem:
            row["problem"] = problem
            self.refresh()

    def go_to(self, record: int) -> None:
        """Put the cursor on a record."""
        self.record = max(1, min(record, self.records))
        self._look()
        self.refresh()

    def on_resize(self) -> None:
        """Ask for what is in sight now."""
        self._look()

    def _look(self) -> None:
        height = max(self.content_size.height, 1)
        self._top = max(1, min(self._top, self.record), self.record - height + 1)
        last = min(self._top + height - 1, self.records)
        in_sight = range(self._top, last + 1)
        if any(it not in self.rows and it not in self._asked for it in in_sight):
            first = max(1, self._top - height)
            self._asked = range(first, min(first + 3 * height, self.records + 1))
            self.post_message(self.Wanted(first, len(self._asked)))
        self.say(f"{count(self.record if self.records else 0)}/{count(self.records)}")

    # --- drawing ------------------------------------------------------------------------------

    def render(self) -> Content:
        """Return the lines in sight."""
        if not self.records:
            return Content.styled("no records", "$text-muted")
        width, height = self.content_size
        last = min(self._top + height - 1, self.records)
        digits = len(count(last))
        lines = (self._line(record, digits, width) for record in range(self._top, last + 1))
        return Content("\n").join(lines)

    def _line(self, record: int, digits: int, width: int) -> Content:
        row = self.rows.get(record)
        chosen = record == self.record
        glyph, style = ("…", "$text-muted") if row is None else (" ", "")
        head = ""
        if row is not None:
            head = row["head"]
            if row["problem"] is not None:
                glyph, style, head = "✗", "$error", row["problem"]
        bar = "▌" if chosen else " "
        text = displayable(sanitise(head, HEAD_CHARACTERS))
        room = max(width - digits - 4, 1)
        if cells_of(text) > room:
            text = text[: cut(text, 0, room - 1)[1]] + "…"
        muted = style if style and row is not None else "" if chosen else "$text-muted"
        line = Content.assemble(
            (bar, "$accent"), f"{count(record):>{digits}} ", (f"{glyph} ", style), (text, muted)
        )
        return line.stylize("bold") if chosen else line

    # --- keys ---------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Go to a record nearby."""
        self._choose(self.record + by)

    def action_page(self, by: int) -> None:
        """Go as far as is in sight."""
        self._choose(self.record + by * max(self.content_size.height - 1, 1))

    def action_edge(self, edge: int) -> None:
        """Go to the first or the last record."""
        self._choose(self.records if edge else 1)

    def _choose(self, record: int) -> None:
        before = self.record
        self.go_to(record)
        if self.record != before:
            self.post_message(self.Chosen(self.record))

    def on_click(self, event: events.Click) -> None:
        """Go to the record that was clicked."""
        y = event.get_content_offset(self)
        if y is not None and self._top + y.y <= self.records:
            self._choose(self._top + y.y)


def file_names(files: list[str]) -> str:
    """Return the names of data files in a few words."""
    names = [sanitise(PurePath(file).name, 60) for file in files[:2]]
    return ", ".join(names) + (f" and {len(files) - 2} more" if files[2:] else "")
