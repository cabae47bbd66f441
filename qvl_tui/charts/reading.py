"""Read values off curves: at the cursor, at the end, and which way they go."""

from collections.abc import Sequence

import numpy as np

from qvl_tui.charts.data import Curve, Floats
from qvl_tui.charts.ticks import WITHOUT_PREFIX, short
from trainer.words.numbers import significant

LOOK_BACK = 50  # points at most that tell the direction, on either side
STEADY = 0.01  # as a share of the values: less is no change
NEAR = 256  # points around a place that are looked at before all are


def listed(curves: Sequence[Curve]) -> list[Curve]:
    """Return the curves that a legend names: no ghosts, and each name once."""
    named: dict[tuple[str, int], Curve] = {}
    for curve in curves:
        if curve.style != "ghost":
            named.setdefault((curve.label, curve.slot), curve)
    return list(named.values()) or list(curves)


def nearest_known(curve: Curve, x: float) -> int | None:
    """Return the index of the known value that is nearest to x, None where none is known."""
    around = int(np.searchsorted(curve.x, x))
    for reach in (NEAR, len(curve.x)):
        begin, end = max(0, around - reach), around + reach
        known = np.flatnonzero(np.isfinite(curve.y[begin:end])) + begin
        if len(known):
            return int(known[np.argmin(np.abs(curve.x[known] - x))])
    return None


def nearest_place(curves: Sequence[Curve], x: float) -> float | None:
    """Return the x of the known value that is nearest to a place, over all curves."""
    indices = [(curve, nearest_known(curve, x)) for curve in curves]
    places = [float(curve.x[index]) for curve, index in indices if index is not None]
    return min(places, key=lambda place: abs(place - x), default=None)


def last_known(curve: Curve) -> int | None:
    """Return the index of the last known value."""
    length = len(curve.y)
    for reach in (NEAR, length):
        begin = max(0, length - reach)
        known = np.flatnonzero(np.isfinite(curve.y[begin:]))
        if len(known):
            return begin + int(known[-1])
    return None


def direction(curve: Curve) -> str:
    """Return `↓`, `↑` or `→`: where the newest values lie compared with those before them."""
    known = _last_known_values(curve.y, 2 * LOOK_BACK)
    if len(known) < 2:
        return ""
    half = max(1, min(LOOK_BACK, len(known) // 2))
    with np.errstate(over="ignore", invalid="ignore"):
        older, newer = float(known[-2 * half : -half].mean()), float(known[-half:].mean())
    steady = STEADY * max(abs(older), abs(newer))
    if not abs(newer - older) > steady:
        return "→"
    return "↑" if newer > older else "↓"


def read_out(value: float) -> str:
    """Return a value as the title shows it."""
    return short(value) if abs(value) >= WITHOUT_PREFIX else significant(value)


def _last_known_values(y: Floats, most: int) -> Floats:
    for tail in (y[-2 * most :], y):
        known = tail[np.isfinite(tail)]
        if len(known) >= most:
            return known[-most:]
    return y[np.isfinite(y)][-most:]
