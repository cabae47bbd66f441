"""Draw what happened at places of the x-axis, without hiding a curve."""

import numpy as np

from qvl_tui.charts.data import Mark
from qvl_tui.charts.glyphs import MARK_GLYPHS
from qvl_tui.charts.plot import Plot
from qvl_tui.charts.raster import BLANK, Cells
from qvl_tui.charts.roles import MARK_ROLES, Role, Roles

LINE = "┊"
ROOMY = 6  # cells per mark from which each one gets a line
GLYPH_GAP = 2  # cells; nearer glyphs of one kind become one
WEIGHT = {kind: weight for weight, kind in enumerate(MARK_GLYPHS)}


def draw_marks(cells: Cells, roles: Roles, plot: Plot, marks: tuple[Mark, ...]) -> None:
    """Draw marks into the blank cells of a plot: a thin line and a glyph where there is room."""
    places = _by_column(plot, marks)
    crowded = len(places) * ROOMY > plot.layout.plot_width
    shown: dict[Role, int] = {}
    for column, mark in sorted(places.items()):
        role = MARK_ROLES[mark.kind]
        free = cells[:, column] == BLANK
        if not crowded:
            cells[free, column] = ord(LINE)
            roles[free, column] = role
        near = column - shown.get(role, -GLYPH_GAP - 1) <= GLYPH_GAP
        row = None if near else _glyph_row(free)
        if row is not None:
            cells[row, column] = ord(MARK_GLYPHS[mark.kind])
            roles[row, column] = role
            shown[role] = column


def _by_column(plot: Plot, marks: tuple[Mark, ...]) -> dict[int, Mark]:
    """Return the gravest mark of each column."""
    places: dict[int, Mark] = {}
    for mark in marks:
        column = plot.column_of(mark.x)
        if column is None:
            continue
        there = places.get(column)
        if there is None or WEIGHT[mark.kind] < WEIGHT[there.kind]:
            places[column] = mark
    return places


def _glyph_row(free: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int | None:
    """Return the top row, else the bottom row, else the first one that is free."""
    if not free.any():
        return None
    if not free[0] and free[-1]:
        return len(free) - 1
    return int(np.argmax(free))
