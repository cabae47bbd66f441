"""The list of runs, a line each, of which only those that changed are drawn again."""

from collections.abc import Collection, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from qvl_tui.run_line import RunLine
from qvl_tui.widgets.runs_columns import GAP, Cell, Cells, Column, columns_that_fit, heading, row
from qvl_tui.widgets.sheet import Item, Sheet

MARK, ALERT, BLANK = "◆", "⚠", " "
SIGNS = 3  # cells before the columns: the mark, the alert and a blank


class RunsTable(Vertical):
    """Runs with a cursor and marks, in the order they are given."""

    DEFAULT_CSS = """
    RunsTable {
        & > #runs-heading { height: 1; padding: 0 1; }
        & > Sheet { height: 1fr; padding: 0 1; }
    }
    """

    class Moved(Message):
        """The cursor is on another run."""

    class Opened(Message):
        """A run was clicked twice."""

    class SortAsked(Message):
        """A heading was clicked."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: Sequence[RunLine] = ()
        self._marked: Collection[str] = ()
        self._order: tuple[str, bool] = ("age", False)
        self._now = 0.0
        self._columns: list[Column] = []
        self._drawn: dict[str, tuple[Cells, Content]] = {}  # by name
        self._headed: list[Cell] = []

    def compose(self) -> ComposeResult:
        """Lay out the heading and the lines."""
        yield Static(id="runs-heading", markup=False)
        yield Sheet(choosing=True, id="runs-lines")

    @property
    def chosen(self) -> RunLine | None:
        """The run under the cursor."""
        key = self._sheet.chosen
        return next((line for line in self._lines if line.layout.name == key), None)

    @property
    def shown(self) -> Sequence[RunLine]:
        """The runs from the first to the last."""
        return self._lines

    @property
    def columns(self) -> list[str]:
        """The keys of the columns there is room for."""
        return [column.key for column in self._columns]

    @property
    def _sheet(self) -> Sheet:
        return self.query_one("#runs-lines", Sheet)

    def show(
        self,
        lines: Sequence[RunLine],
        marked: Collection[str],
        order: tuple[str, bool],
        now: float,
    ) -> None:
        """Show runs in their order; `order` is the column and whether it is reversed."""
        self._lines, self._marked, self._order, self._now = lines, marked, order, now
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        """Choose the columns anew."""
        self._draw()

    def _draw(self) -> None:
        width = self._sheet.size.width
        if not width:
            return
        key, reverse = self._order
        self._columns = columns_that_fit(self._lines, width - SIGNS, self._now, key)
        headed = heading(self._columns, key, reverse=reverse)
        if headed != self._headed:
            self._headed = headed
            content = Content.assemble(" " * SIGNS, *headed)
            self.query_one("#runs-heading", Static).update(content)
        self._drawn = {line.layout.name: self._drawing(line, width) for line in self._lines}
        self._sheet.show_items([Item(name, (it[1],)) for name, it in self._drawn.items()])

    def _drawing(self, line: RunLine, width: int) -> tuple[Cells, Content]:
        """Return a run's cells and the line they make; the same line where no cell changed."""
        cells = self._signs(line) + row(line, self._columns, self._now, width - SIGNS)
        known = self._drawn.get(line.layout.name)
        return known if known and known[0] == cells else (cells, Content.assemble(*cells))

    def _signs(self, line: RunLine) -> Cells:
        return (
            (MARK if line.layout.name in self._marked else BLANK, "$accent bold"),
            (ALERT if line.live and line.alerts else BLANK, "$warning"),
            (BLANK, ""),
        )

    def on_sheet_moved(self, message: Sheet.Moved) -> None:
        """Tell of the move in words of runs."""
        message.stop()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Open what is clicked twice; sort by the heading that is clicked."""
        if self.query_one("#runs-heading").region.contains_point(event.screen_offset):
            key = self._column_at(event.screen_x - self._sheet.content_region.x - SIGNS)
            if key:
                self.post_message(self.SortAsked(key))
        elif event.chain == 2 and self.chosen:
            self.post_message(self.Opened())

    def _column_at(self, x: int) -> str | None:
        for column in self._columns:
            if 0 <= x <= column.width:
                return column.key if column.sort else None
            x -= column.width + GAP
        return None

    def next(self) -> None:
        """Move the cursor on by one."""
        self._sheet.action_move(1)

    def focus_lines(self) -> None:
        """Give the keyboard to the lines."""
        self._sheet.focus()
