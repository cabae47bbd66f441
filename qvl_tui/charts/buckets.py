"""Reduce a curve to what fits into columns, without losing an extreme."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qvl_tui.charts.data import Curve, Floats
from qvl_tui.charts.view import Bounds

LARGEST = 1e300  # magnitudes beyond it are drawn as this, so that differences stay finite


@dataclass(frozen=True, eq=False)
class Buckets:
    """What a curve is in each column that holds some of it; columns ascend.

    The neighbours just outside of the window come along as columns of their own, so that lines go
    on to the edge; `inside` says which columns are seen.
    """

    column: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]
    first_x: Floats
    last_x: Floats
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    joined: npt.NDArray[np.bool_]  # whether a column's last point and the next one's first connect
    left_out: int = 0  # values in the window that a logarithmic axis cannot show

    def extent(self) -> Bounds | None:
        """Return the lowest and highest value that is seen."""
        if not self.inside.any():
            return None
        return float(self.low[self.inside].min()), float(self.high[self.inside].max())


def bucketed(curve: Curve, window: Bounds, columns: int, *, log: bool = False) -> Buckets:
    """Return what a curve is in so many columns of a window; unknown values make gaps."""
    left, right = window
    begin = int(np.searchsorted(curve.x, left, "left"))
    end = int(np.searchsorted(curve.x, right, "right"))
    seen = slice(max(0, begin - 1), end + 1)
    x, y = curve.x[seen], curve.y[seen]
    known = np.isfinite(y)
    left_out = 0
    if log:
        positive = y > 0
        inner = slice(begin - seen.start, end - seen.start)
        left_out = int(np.count_nonzero((known & ~positive)[inner]))
        known &= positive
    if known.all():
        broken = None
    else:
        places = np.flatnonzero(known)
        x, y, broken = x[places], y[places], np.diff(places) > 1
    return _reduced(x, y, broken, np.linspace(left, right, columns + 1), left_out)


def _reduced(
    x: Floats,
    y: Floats,
    broken: npt.NDArray[np.bool_] | None,
    edges: Floats,
    left_out: int,
) -> Buckets:
    columns = len(edges) - 1
    starts = np.searchsorted(x, edges, "left")
    starts[-1] = np.searchsorted(x, edges[-1], "right")
    starts = np.concatenate(([0], starts))
    ends = np.append(starts[1:], len(x))
    filled = np.flatnonzero(starts < ends)
    starts, ends = starts[filled], ends[filled]
    if not len(filled):
        none = np.empty(0)
        nothing = np.empty(0, np.bool_)
        return Buckets(filled, nothing, none, none, none, none, none, none, nothing, left_out)
    joined = np.ones(len(filled) - 1, np.bool_)
    if broken is not None:
        joined = ~broken[starts[1:] - 1]
    column = filled - 1
    return Buckets(
        column=column,
        inside=(column >= 0) & (column < columns),
        first_x=x[starts],
        last_x=x[ends - 1],
        first=_drawable(y[starts]),
        last=_drawable(y[ends - 1]),
        low=_drawable(np.minimum.reduceat(y, starts)),
        high=_drawable(np.maximum.reduceat(y, starts)),
        joined=joined,
        left_out=left_out,
    )


def _drawable(y: Floats) -> Floats:
    return np.clip(y, -LARGEST, LARGEST)
