"""Draw the curves of a chart: all that stays while only the cursor moves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qvl_tui.charts.buckets import Buckets, bucketed
from qvl_tui.charts.data import ChartData, Curve, CurveStyle, Floats, View
from qvl_tui.charts.glyphs import marker
from qvl_tui.charts.raster import (
    BLANK,
    BRAILLE,
    COLUMNS_A_CELL,
    ROWS_A_CELL,
    Cells,
    braille_bits,
    dashed,
    line_dots,
)
from qvl_tui.charts.reading import listed
from qvl_tui.charts.scale import Scale, fitted
from qvl_tui.charts.view import Bounds, data_bounds, window

NARROW, WIDE = 24, 34  # widths below which there are no labels at the y-axis, or shorter ones
SHORT_GUTTER, GUTTER = 6, 8
TITLED, FULL = 3, 5  # heights from which there is a title, and an x-axis too

ROOM_OF_A_MARKER = 3  # cells of width; points that have less crowd
BLOCK_OF_A_MARKER = 4  # cells of width in which one of crowded points gets a marker

DEPTHS: dict[CurveStyle, int] = {"ghost": 0, "points": 1, "line": 2, "steps": 2}

NOBODY = -1
Owners = npt.NDArray[np.int16]  # which curve a cell belongs to


@dataclass(frozen=True)
class Layout:
    """Where the parts of a chart lie; small ones do without an axis, labels and the title."""

    width: int
    height: int

    @property
    def title(self) -> int:
        """Rows of the title."""
        return int(self.height >= TITLED)

    @property
    def axis(self) -> int:
        """Rows of the x-axis."""
        return int(self.height >= FULL)

    @property
    def gutter(self) -> int:
        """Columns of the y-axis with its labels; the same for all charts of a width."""
        if self.width < NARROW:
            return 0
        return SHORT_GUTTER if self.width < WIDE else GUTTER

    @property
    def plot_width(self) -> int:
        """Columns of the plot."""
        return max(0, self.width - self.gutter)

    @property
    def plot_height(self) -> int:
        """Rows of the plot."""
        return max(0, self.height - self.title - self.axis)


@dataclass(frozen=True, eq=False)
class Plot:
    """The curves of a chart as cells."""

    key: str  # of the chart
    layout: Layout
    bounds: Bounds | None  # of the data
    window: Bounds
    scale: Scale
    cells: Cells
    owners: Owners  # index of a curve, NOBODY for blank cells
    visible: bool  # whether any value is seen
    left_out: int  # values that a logarithmic axis cannot show

    def column_of(self, x: float) -> int | None:
        """Return the cell column of a place on the x-axis, None outside of the plot."""
        left, right = self.window
        width = self.layout.plot_width
        if not left <= x <= right or not width:
            return None
        return min(width - 1, int((x - left) / (right - left) * width))

    def row_of(self, y: float) -> int:
        """Return the cell row of a value."""
        return int(_cell_rows(np.array([y]), self.scale, self.layout.plot_height)[0])

    def x_of(self, column: float) -> float:
        """Return the place on the x-axis in the middle of a cell column."""
        left, right = self.window
        return left + (right - left) * (column + 0.5) / max(1, self.layout.plot_width)


def plotted(
    data: ChartData, view: View, layout: Layout, *, plain: bool = False, before: Scale | None = None
) -> Plot:
    """Return a drawn chart; `plain` tells curves apart by line patterns, for want of colours."""
    bounds = data_bounds(data)
    seen = window(view, bounds or (0.0, 1.0))
    height, width = layout.plot_height, layout.plot_width
    columns = max(1, width * COLUMNS_A_CELL)
    drawn = [(it, bucketed(it, seen, columns, log=view.log_y)) for it in data.curves]
    extents = [buckets.extent() for _, buckets in drawn]
    scale = fitted(data, extents, log=view.log_y, before=before)
    sheet = _Sheet(
        cells=np.zeros((height, width), np.uint32),
        owners=np.full((height, width), NOBODY, np.int16),
        scale=scale,
        drawn=drawn,
    )
    if height and width:
        sheet.draw_lines(seen, plain=plain)
        sheet.draw_ends(listed(data.curves))
        sheet.draw_points()
    return Plot(
        key=data.key,
        layout=layout,
        bounds=bounds,
        window=seen,
        scale=scale,
        cells=sheet.cells,
        owners=sheet.owners,
        visible=any(it is not None for it in extents),
        left_out=sum(buckets.left_out for curve, buckets in drawn if curve.style != "ghost"),
    )


@dataclass(eq=False)
class _Sheet:
    """Cells that curves are drawn on, one curve over the other."""

    cells: Cells  # bits of braille until the lines are drawn, then code points
    owners: Owners
    scale: Scale
    drawn: Sequence[tuple[Curve, Buckets]]

    def draw_lines(self, seen: Bounds, *, plain: bool) -> None:
        """Draw ghosts, crowded points over them, then lines: a later one owns a shared cell.

        The dots in a cell add up, but a ghost yields to whatever lies over it.
        """
        order = sorted(range(len(self.drawn)), key=lambda i: DEPTHS[self.drawn[i][0].style])
        ghosts = [i for i in order if self.drawn[i][0].style == "ghost"]
        for index in order:
            curve, buckets = self.drawn[index]
            if curve.style == "points" and not self._crowded(buckets):
                continue
            dots = line_dots(buckets, self.scale, seen, self.cells.shape, curve.style)
            if plain and curve.style in ("line", "steps"):
                dots = dashed(dots, curve.slot)
            bits = braille_bits(dots)
            mine = bits > 0
            if curve.style != "ghost":
                self.cells[mine & np.isin(self.owners, ghosts)] = 0
            self.cells |= bits
            self.owners[mine] = index
        self.cells = np.where(self.cells > 0, self.cells + BRAILLE, BLANK).astype(np.uint32)

    def draw_ends(self, named: Sequence[Curve]) -> None:
        """Put its marker at the end of each line where there are several, and on a lonely point."""
        for index, (curve, buckets) in enumerate(self.drawn):
            places = np.flatnonzero(buckets.inside)
            if not len(places) or curve.style == "ghost":
                continue
            lonely = len(buckets.column) == 1 and buckets.first_x[0] == buckets.last_x[0]
            if lonely or (len(named) > 1 and curve in named):
                end = places[-1:]
                self._put_markers(index, buckets.column[end], buckets.last[end])

    def draw_points(self) -> None:
        """Put a marker on every point of curves that are points, on few of those that crowd."""
        for index, (curve, buckets) in enumerate(self.drawn):
            if curve.style != "points":
                continue
            inside = np.flatnonzero(buckets.inside)
            extremes = (buckets.low, buckets.high, buckets.first, buckets.last)
            if self._crowded(buckets):
                blocks = buckets.column[inside] // (COLUMNS_A_CELL * BLOCK_OF_A_MARKER)
                inside = inside[np.unique(blocks, return_index=True)[1]]
                extremes = (buckets.last,)
            for values in extremes:
                self._put_markers(index, buckets.column[inside], values[inside])

    def _put_markers(self, index: int, columns: npt.NDArray[np.int64], values: Floats) -> None:
        rows = _cell_rows(values, self.scale, self.cells.shape[0])
        self.cells[rows, columns // COLUMNS_A_CELL] = ord(marker(self.drawn[index][0].slot))
        self.owners[rows, columns // COLUMNS_A_CELL] = index

    def _crowded(self, buckets: Buckets) -> bool:
        """Whether markers would hide more than they show; each point is a dot then."""
        return int(np.count_nonzero(buckets.inside)) * ROOM_OF_A_MARKER > self.cells.shape[1]


def _cell_rows(values: Floats, scale: Scale, height: int) -> npt.NDArray[np.int64]:
    """Return the cell rows of values; those beyond the scale lie at its edge."""
    rows = np.clip(scale.row_of(values, height * ROWS_A_CELL), 0, height * ROWS_A_CELL - 1)
    return np.rint(rows).astype(np.int64) // ROWS_A_CELL
