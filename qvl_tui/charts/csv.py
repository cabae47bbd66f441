"""Write what is seen of a chart as CSV (RFC 4180)."""

import csv
import io
import math

import numpy as np

from qvl_tui.charts.data import ChartData, Curve, Floats, View
from qvl_tui.charts.view import Bounds, data_bounds, window
from trainer.run.text import sanitise

LARGEST_WHOLE = 2.0**53  # up to here a float that is whole is written without decimals


def chart_csv(data: ChartData, view: View) -> str:
    """Return a header and a row for each x that is seen, a column for each curve.

    Unknown values are empty. Of several values of one curve at the same x the last one is written.
    """
    seen = window(view, data_bounds(data) or (0.0, 1.0))
    parts = [_visible(curve, seen) for curve in data.curves]
    places = np.unique(np.concatenate([x for x, _ in parts])) if parts else np.empty(0)
    columns = [_at_places(x, y, places) for x, y in parts]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([view.x_axis, *_headings(data)])
    cells = [[_number(it) for it in column.tolist()] for column in (places, *columns)]
    writer.writerows(zip(*cells, strict=True))
    return text.getvalue()


def _visible(curve: Curve, seen: Bounds) -> tuple[Floats, Floats]:
    begin, end = np.searchsorted(curve.x, seen[0]), np.searchsorted(curve.x, seen[1], "right")
    return curve.x[begin:end], curve.y[begin:end]


def _at_places(x: Floats, y: Floats, places: Floats) -> Floats:
    column = np.full(len(places), np.nan)
    column[np.searchsorted(places, x)] = y
    return column


def _headings(data: ChartData) -> list[str]:
    """Return a name for each curve, no name twice."""
    names: list[str] = []
    for curve in data.curves:
        name = sanitise(curve.label, None) or sanitise(data.title, None)
        name = f"{name} (raw)" if curve.style == "ghost" else name
        while name in names:
            name += "'"
        names.append(name)
    return names


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    if value.is_integer() and abs(value) < LARGEST_WHOLE:
        return str(int(value))
    return repr(value)
