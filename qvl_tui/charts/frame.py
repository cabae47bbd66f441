"""Put a chart together: curves, marks, cursor, axes and title, cell by cell."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qvl_tui.charts.data import ChartData, View, XAxis
from qvl_tui.charts.glyphs import marker
from qvl_tui.charts.marks import draw_marks
from qvl_tui.charts.plot import NOBODY, Plot
from qvl_tui.charts.raster import BLANK, Cells
from qvl_tui.charts.reading import listed, nearest_known
from qvl_tui.charts.roles import Role, Roles, curve_role
from qvl_tui.charts.ticks import x_label, x_ticks
from qvl_tui.charts.title import Span, title_of

CURSOR = "│"
TICKS_A_ROW = 0.4  # of the y-axis, about
X_NAMES: dict[XAxis, str] = {  # short enough for the corner under the labels of the y-axis
    "step": "step",
    "epoch": "epoch",
    "samples": "samples",
    "target_tokens": "tokens",
    "elapsed": "time",
    "clock": "clock",
}


@dataclass(frozen=True, eq=False)
class Frame:
    """A chart as it stands on the screen: the title, and below it one character per cell."""

    width: int
    height: int
    title: tuple[Span, ...]  # empty where there is no room
    cells: Cells
    roles: Roles

    def line(self, row: int) -> tuple[Span, ...]:
        """Return the spans of a row."""
        if not self.width:
            return ()
        if self.title:
            if row == 0:
                return self.title
            row -= 1
        return tuple(self._spans(row))

    def _spans(self, row: int) -> Iterator[Span]:
        roles = self.roles[row]
        text = self.cells[row].tobytes().decode("utf-32-le")
        cuts = np.flatnonzero(np.diff(roles)) + 1
        begin = 0
        for end in (*cuts.tolist(), len(roles)):
            yield Span(text[begin:end], int(roles[begin]))
            begin = end

    def changed(self, before: "Frame | None") -> Iterator[tuple[int, int, int]]:
        """Yield row, first column and width of what differs from another frame."""
        if before is None or (before.width, before.height) != (self.width, self.height):
            yield from ((row, 0, self.width) for row in range(self.height))
            return
        if self.title != before.title:
            yield 0, 0, self.width
        differs = (self.cells != before.cells) | (self.roles != before.roles)
        for row in np.flatnonzero(differs.any(axis=1)).tolist():
            columns = np.flatnonzero(differs[row])
            first, last = int(columns[0]), int(columns[-1])
            yield row + (1 if self.title else 0), first, last - first + 1


def framed(plot: Plot, data: ChartData, view: View, *, selected: bool = False) -> Frame:
    """Return the whole chart; every row is exactly as wide as the chart."""
    layout = plot.layout
    rows = layout.plot_height + layout.axis
    cells = np.full((rows, layout.width), BLANK, np.uint32)
    roles = np.full((rows, layout.width), Role.BLANK, np.int16)
    here = slice(0, layout.plot_height), slice(layout.gutter, layout.width)
    cells[here] = plot.cells
    roles[here] = _roles(plot, data)
    draw_marks(cells[here], roles[here], plot, data.marks)
    _draw_cursor(cells[here], roles[here], plot, data, view)
    if not plot.visible:
        _write_centred(cells[here], roles[here], _why_nothing(plot, data))
    if layout.gutter:
        _draw_y_axis(cells, roles, plot)
    if layout.axis:
        _draw_x_axis(cells[-1], roles[-1], plot, view)
    title = (
        title_of(data, view, left_out=plot.left_out, width=layout.width, selected=selected)
        if layout.title
        else ()
    )
    return Frame(layout.width, layout.height, title, cells, roles)


def _roles(plot: Plot, data: ChartData) -> Roles:
    of_curves = [curve_role(curve) for curve in data.curves]
    return np.array([*of_curves, Role.BLANK], np.int16)[plot.owners]  # NOBODY is the last one


def _draw_cursor(cells: Cells, roles: Roles, plot: Plot, data: ChartData, view: View) -> None:
    """Draw a line beside the curves, and each curve's marker where it is read."""
    column = None if view.cursor is None else plot.column_of(view.cursor)
    if column is None or view.cursor is None:
        return
    free = plot.owners[:, column] == NOBODY
    cells[free, column] = ord(CURSOR)
    roles[free, column] = Role.CURSOR
    for curve in listed(data.curves):
        index = nearest_known(curve, view.cursor)
        if index is None or plot.column_of(float(curve.x[index])) != column:
            continue
        value = float(curve.y[index])
        if len(cells) and not (view.log_y and value <= 0):
            row = plot.row_of(value)
            cells[row, column] = ord(marker(curve.slot))
            roles[row, column] = curve_role(curve)


def _why_nothing(plot: Plot, data: ChartData) -> str:
    if plot.left_out:
        return "no values above 0"
    if any(np.isfinite(curve.y).any() for curve in data.curves):
        return "nothing in this part"
    return "no data yet"


def _write_centred(cells: Cells, roles: Roles, text: str) -> None:
    height, width = cells.shape
    if height and len(text) <= width:
        _write(cells[(height - 1) // 2], roles[(height - 1) // 2], (width - len(text)) // 2, text)


def _write(cells: Cells, roles: Roles, column: int, text: str, role: int = Role.LABEL) -> None:
    cells[column : column + len(text)] = [ord(it) for it in text]
    roles[column : column + len(text)] = role


def _draw_y_axis(cells: Cells, roles: Roles, plot: Plot) -> None:
    layout = plot.layout
    rule = layout.gutter - 1
    height = layout.plot_height
    cells[:height, rule] = ord("│")
    roles[:, : layout.gutter] = Role.LABEL
    roles[:, rule] = Role.AXIS
    if not plot.visible or not height:
        return
    taken: set[int] = set()
    for tick in plot.scale.ticks(max(2, int(height * TICKS_A_ROW))):
        row = plot.row_of(tick.value)
        if row not in taken and len(tick.label) <= rule:
            taken.add(row)
            _write(cells[row], roles[row], rule - len(tick.label), tick.label)
            cells[row, rule] = ord("┤")


def _draw_x_axis(cells: Cells, roles: Roles, plot: Plot, view: View) -> None:
    layout = plot.layout
    cells[layout.gutter :] = ord("─")
    roles[layout.gutter :] = Role.AXIS
    if layout.gutter:
        rule = layout.gutter - 1
        cells[rule] = ord("└")
        name = X_NAMES[view.x_axis]
        if len(name) <= rule:
            _write(cells, roles, rule - len(name), name)
    if plot.bounds is None:
        return
    cells, roles = cells[layout.gutter :], roles[layout.gutter :]
    cursor = None if view.cursor is None else x_label(view.cursor, view.x_axis)
    place = None if cursor is None else _centred(plot, view.cursor or 0.0, len(cursor))
    taken = range(0) if place is None else range(place - 1, place + len(cursor or "") + 1)
    for tick in x_ticks(*plot.window, view.x_axis, layout.plot_width):
        begin = _centred(plot, tick.value, len(tick.label))
        if begin is None:
            continue
        end = begin + len(tick.label)
        if end <= taken.start or begin >= taken.stop:
            _write(cells, roles, begin, tick.label)
    if cursor is not None and place is not None:
        _write(cells, roles, place, cursor, Role.CURSOR_LABEL)


def _centred(plot: Plot, x: float, length: int) -> int | None:
    """Return where text of a length begins that belongs to x; it stays inside of the plot."""
    column, width = plot.column_of(x), plot.layout.plot_width
    if column is None or length > width:
        return None
    return min(max(0, column - (length - 1) // 2), width - length)
