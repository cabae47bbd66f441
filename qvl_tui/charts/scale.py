"""Choose what the y-axis shows, and say where a value lies on it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qvl_tui.charts.data import ChartData, Floats
from qvl_tui.charts.ticks import Tick, log_ticks, nice_step, y_ticks
from qvl_tui.charts.view import Bounds

ROUNDING = 10  # bounds are rounded to about a tenth of what is seen
KEPT_SHARE = 0.4  # the old bounds stay while the values fill at least this much of them
SMALLEST_SPAN = 1e-9  # as a share of the values: less is a constant
CONSTANT_ROOM = 0.1  # as a share of the value, above and below a constant


@dataclass(frozen=True)
class Scale:
    """The y-axis from `low` to `high`."""

    low: float
    high: float
    log: bool = False

    def height_of(self, y: Floats) -> Floats:
        """Return where values lie, 0 at the bottom and 1 at the top; infinite where far outside."""
        low, high = self.low, self.high
        if self.log:
            y, low, high = np.log10(y), math.log10(low), math.log10(high)
        with np.errstate(over="ignore"):
            return (y - low) / (high - low)

    def row_of(self, y: Floats, rows: int) -> Floats:
        """Return the rows of values, 0 at the top; not rounded, and outside for those outside."""
        return (1.0 - self.height_of(y)) * (rows - 1)

    def ticks(self, most: int) -> list[Tick]:
        """Return the ticks of the axis."""
        make = log_ticks if self.log else y_ticks
        return make(self.low, self.high, most)


def fitted(
    data: ChartData, extents: Iterable[Bounds | None], *, log: bool, before: Scale | None = None
) -> Scale:
    """Return the scale that holds all extents, with rounded bounds.

    The scale of before stays as long as it does well, so that a new point moves nothing.
    """
    known = [it for it in extents if it is not None]
    if not known:
        return Scale(0.1, 1.0, log=True) if log else Scale(*(data.y_range or (0.0, 1.0)))
    low, high = min(it[0] for it in known), max(it[1] for it in known)
    if data.y_range is not None and not log:
        low, high = min(low, data.y_range[0]), max(high, data.y_range[1])
        if (low, high) == data.y_range:
            return Scale(low, high)
    if before is not None and before.log == log and _still_good(before, low, high):
        return before
    return _log_scale(low, high) if log else _linear_scale(low, high)


def _still_good(before: Scale, low: float, high: float) -> bool:
    if not before.low <= low <= high <= before.high:
        return False
    ends = before.height_of(np.array([low, high]))
    return bool(ends[1] - ends[0] >= KEPT_SHARE)


def _linear_scale(low: float, high: float) -> Scale:
    largest = max(abs(low), abs(high))
    if high - low <= largest * SMALLEST_SPAN or high - low < 1e-290:
        room = max(largest * CONSTANT_ROOM, 1e-290) if largest else 1.0
        low, high = (low, high + room) if not largest else (low - room, high + room)
    step = nice_step((high - low) / ROUNDING)
    rounded = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(min(low, rounded[0]), max(high, rounded[1]))


def _log_scale(low: float, high: float) -> Scale:
    """Return bounds of 1, 2 or 5 times a power of ten."""
    low = max(low, 1e-290)
    top = nice_step(max(high, low))
    bottom = 1 / nice_step(1 / low)
    if bottom >= low * (1 - 1e-9) and bottom >= top * (1 - 1e-9):
        bottom, top = bottom / 10, top * 10
    return Scale(min(bottom, low), max(top, high), log=True)
