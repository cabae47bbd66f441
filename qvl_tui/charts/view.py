"""Zoom, pan and move the cursor: arithmetic on what is looked at."""

import math
from dataclasses import replace

import numpy as np

from qvl_tui.charts.data import ChartData, Floats, View
from qvl_tui.charts.ticks import nice_step

Bounds = tuple[float, float]

CLOSEST_SHARE = 1e-4  # of the whole: nobody zooms in further
FREE_SHARES = 20  # the live end has a bound that is rounded to about a twentieth of what is seen
SMALLEST_SPAN = 1e-12  # as a share of x: what is narrower counts as one place
EDGE_SHARE = 0.02  # a first point this near to a round number begins there


def data_bounds(data: ChartData) -> Bounds | None:
    """Return the first and last x of a chart, None where it has no points."""
    if data.x_range is not None:
        return data.x_range
    curves = [curve for curve in data.curves if len(curve.x)]
    if not curves:
        return None
    return float(min(it.x[0] for it in curves)), float(max(it.x[-1] for it in curves))


def known_x(data: ChartData) -> Floats:
    """Return every x at which some curve has a known value, ascending."""
    known = [curve.x[np.isfinite(curve.y)] for curve in data.curves]
    return np.unique(np.concatenate(known)) if known else np.empty(0)


def window(view: View, bounds: Bounds) -> Bounds:
    """Return the part of the x-axis that is seen.

    The live end gets a rounded bound, so that points that come in move nothing.
    """
    left = bounds[0] if view.x_min is None else view.x_min
    right = bounds[1] if view.x_max is None else view.x_max
    if not right - left > SMALLEST_SPAN * max(abs(left), abs(right), 1e-290):
        room = max(0.5, abs(left) * 1e-9)
        return left - room, left + room
    step = nice_step((right - left) / FREE_SHARES)
    if view.x_min is None:
        begin = math.floor(left / step) * step
        left = begin if left - begin <= EDGE_SHARE * (right - left) else left
    if view.x_max is None:
        right = max(right, math.ceil(right / step) * step)
    return left, right


def zoom(view: View, bounds: Bounds, factor: float, at: float | None = None) -> View:
    """Look `factor` times closer (below 1: from further away).

    `at` stays where it is on the screen: without it the cursor, else the live end, else the middle.
    """
    left, right = window(view, bounds)
    if at is None:
        at = _held(view, left, right)
    width = max((right - left) / factor, (bounds[1] - bounds[0]) * CLOSEST_SHARE)
    share = (at - left) / (right - left)
    if view.follows and share >= 0.5:
        return _fitted(view, bounds, bounds[1] - width, bounds[1])
    return _fitted(view, bounds, at - share * width, at + (1 - share) * width)


def pan(view: View, bounds: Bounds, share: float) -> View:
    """Move by a share of what is seen, to the right where it is positive.

    Whoever arrives at the live end follows it.
    """
    left, right = window(view, bounds)
    right = min(right, bounds[1]) if view.follows else right
    by = (right - left) * share
    return _fitted(view, bounds, left + by, right + by)


def move_cursor(view: View, xs: Floats, by: int, least: float = 0.0) -> View:
    """Move the cursor by so many known x, but at least by `least`, and bring it into sight.

    A cursor that was not there begins at the right end of what is seen.
    """
    if not len(xs):
        return view
    bounds = float(xs[0]), float(xs[-1])
    last = len(xs) - 1
    if view.cursor is None:
        index = min(last, max(0, int(np.searchsorted(xs, window(view, bounds)[1], "right")) - 1))
        return reveal(view, bounds, float(xs[index]))
    index = int(np.searchsorted(xs, view.cursor))
    if by > 0:
        index = int(np.searchsorted(xs, view.cursor, "right")) - 1
        far = int(np.searchsorted(xs, view.cursor + least * by))
        index = max(index + by, far)
    elif by < 0:
        far = int(np.searchsorted(xs, view.cursor + least * by, "right")) - 1
        index = min(index + by, far)
    return reveal(view, bounds, float(xs[min(last, max(0, index))]))


def reveal(view: View, bounds: Bounds, x: float) -> View:
    """Put the cursor on x, or as near as the bounds allow; what is seen moves just so far."""
    x = min(max(x, bounds[0]), bounds[1])
    left, right = window(view, bounds)
    moved = view
    if not left <= x <= right:
        by = x - (left if x < left else right)
        moved = _fitted(view, bounds, left + by, right + by)
    return replace(moved, cursor=x)


def _held(view: View, left: float, right: float) -> float:
    if view.cursor is not None and left <= view.cursor <= right:
        return view.cursor
    return right if view.follows else (left + right) / 2


def _fitted(view: View, bounds: Bounds, left: float, right: float) -> View:
    """Return the view of a part, moved into the bounds: there is nothing to see beyond them."""
    width = right - left
    latest = bounds[1] - width
    if latest <= bounds[0]:
        return view.whole()
    left = min(max(left, bounds[0]), latest)
    return replace(view, x_min=left, x_max=None if left == latest else left + width)
