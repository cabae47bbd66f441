"""Turn buckets into dots, and dots into braille."""

import numpy as np
import numpy.typing as npt

from qvl_tui.charts.buckets import Buckets
from qvl_tui.charts.data import CurveStyle
from qvl_tui.charts.scale import Scale
from qvl_tui.charts.view import Bounds

# R dot rows (four a cell), C dot columns (two a cell), H cells high, W cells wide

Dots = npt.NDArray[np.bool_]  # (R, C)
Cells = npt.NDArray[np.uint32]  # (H, W), code points or bits of braille
Rows = npt.NDArray[np.int64]

ROWS_A_CELL, COLUMNS_A_CELL = 4, 2
BRAILLE = 0x2800
BLANK = ord(" ")
WEIGHTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
FAR = 1e6  # rows off the plot are cut to this, so that they fit into integers
# Columns that are drawn and left out in turn, by slot; the first is solid.
DASHES = ((1, 0), (6, 3), (2, 2), (10, 2), (4, 4), (3, 1), (1, 2), (8, 6))
STEEP = 2  # rows in one column; steeper parts are never left out of a dashed line


def line_dots(
    buckets: Buckets, scale: Scale, window: Bounds, shape: tuple[int, ...], style: CurveStyle
) -> Dots:
    """Return the dots of a curve on H x W cells; a bucket is drawn from its low to its high."""
    rows, columns = shape[0] * ROWS_A_CELL, shape[1] * COLUMNS_A_CELL
    line = _Line(columns)
    line.fill_buckets(buckets, scale, rows)
    if style != "points":
        line.bridge(buckets, scale, rows, window, stairs=style == "steps")
        line.connect(stairs=style == "steps")
    return line.dots(rows)


class _Line:
    """A line as one upright stroke per dot column."""

    def __init__(self, columns: int) -> None:
        self.drawn = np.zeros(columns, np.bool_)
        self.connected = np.zeros(columns, np.bool_)  # with the column to the right
        self.top: Rows = np.zeros(columns, np.int64)
        self.bottom: Rows = np.zeros(columns, np.int64)
        self.enter: Rows = np.zeros(columns, np.int64)
        self.leave: Rows = np.zeros(columns, np.int64)

    def fill_buckets(self, buckets: Buckets, scale: Scale, rows: int) -> None:
        inside = buckets.inside
        columns = buckets.column[inside]
        self.drawn[columns] = True
        for target, values in (
            (self.top, buckets.high),
            (self.bottom, buckets.low),
            (self.enter, buckets.first),
            (self.leave, buckets.last),
        ):
            target[columns] = np.clip(_whole(scale.row_of(values[inside], rows)), 0, rows - 1)
        self.connected[columns] = np.append(buckets.joined, False)[inside]

    def bridge(
        self, buckets: Buckets, scale: Scale, rows: int, window: Bounds, *, stairs: bool
    ) -> None:
        """Draw the columns that lie between two points of one line."""
        empty = np.flatnonzero(~self.drawn)
        if not len(empty) or len(buckets.column) < 2:
            return
        left, right = window
        middles = left + (right - left) * (empty + 0.5) / len(self.drawn)
        ends_x = np.column_stack((buckets.first_x, buckets.last_x)).ravel()
        values = np.column_stack((buckets.first, buckets.last)).ravel()
        ends = np.clip(scale.row_of(values, rows), -FAR, FAR)
        after = np.searchsorted(ends_x, middles)
        gap = np.clip(after // 2 - 1, 0, len(buckets.joined) - 1)
        between = (after > 0) & (after < len(ends_x)) & buckets.joined[gap]
        columns, middles, after = empty[between], middles[between], after[between]
        row = _whole(ends[after - 1] if stairs else np.interp(middles, ends_x, ends))
        for target in (self.top, self.bottom, self.enter, self.leave):
            target[columns] = row
        self.drawn[columns] = True
        self.connected[columns] = True

    def connect(self, *, stairs: bool) -> None:
        """Lengthen strokes until neighbours touch; both meet halfway, except for stairs."""
        pairs = np.flatnonzero(self.drawn[:-1] & self.drawn[1:] & self.connected[:-1])
        begin, end = self.leave[pairs], self.enter[pairs + 1]
        distance = np.abs(end - begin)
        way = np.sign(end - begin)
        half = np.zeros_like(distance) if stairs else np.maximum(distance - 1, 0) // 2
        from_left = begin + way * half
        from_right = begin + way * (half if stairs else np.minimum(half + 1, distance))
        self._stretch(pairs, from_left)
        self._stretch(pairs + 1, from_right)

    def _stretch(self, columns: Rows, row: Rows) -> None:
        self.top[columns] = np.minimum(self.top[columns], row)
        self.bottom[columns] = np.maximum(self.bottom[columns], row)

    def dots(self, rows: int) -> Dots:
        row = np.arange(rows)[:, None]
        return self.drawn & (row >= self.top) & (row <= self.bottom)


def dashed(dots: Dots, slot: int) -> Dots:
    """Return a line with gaps that tell its slot; steep parts, highest and lowest dot stay."""
    on, off = DASHES[slot % len(DASHES)]
    if not off or not dots.any():
        return dots
    kept = np.resize([True] * on + [False] * off, dots.shape[1])  # (C,)
    kept |= np.count_nonzero(dots, axis=0) > STEEP
    heights = np.flatnonzero(dots.any(axis=1))
    kept[[int(dots[row].argmax()) for row in (heights[0], heights[-1])]] = True
    return dots & kept


def braille_bits(dots: Dots) -> Cells:
    """Return which dots are set in each cell."""
    rows, columns = dots.shape
    cells = dots.reshape(
        rows // ROWS_A_CELL, ROWS_A_CELL, columns // COLUMNS_A_CELL, COLUMNS_A_CELL
    )
    return np.einsum("hrwc,rc->hw", cells.astype(np.uint32), WEIGHTS)


def _whole(rows: npt.NDArray[np.float64]) -> Rows:
    return np.rint(np.clip(rows, -FAR, FAR)).astype(np.int64)
