"""Choose round values for the ticks of an axis, and write them short."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from qvl_tui.charts.data import XAxis
from trainer.words.numbers import significant

MINUTE, DAY = 60.0, 86400.0
TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)  # seconds
HOUR_STEPS = (3600, 7200, 10800, 21600, 43200)
DAY_STEPS = (1, 2, 5, 7, 14, 28, 56, 100, 200, 500, 1000)
LABEL_GAP = 2  # cells between two labels of the x-axis
PREFIXES = ((1e12, "T", 2), (1e9, "G", 2), (1e6, "M", 2), (1e3, "k", 1))  # with most decimals
WITHOUT_PREFIX = 10_000  # up to here numbers are written out
LONGEST_LABEL = 7


@dataclass(frozen=True)
class Tick:
    """A value of an axis and what is written at it."""

    value: float
    label: str


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    exponent = math.floor(math.log10(least))
    for factor in (1, 2, 5):
        step = float(f"{factor}e{exponent}")
        if step >= least * (1 - 1e-9):
            return step
    return float(f"1e{exponent + 1}")


def y_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return round values from `low` to `high` with at most `most` gaps between them."""
    step = nice_step((high - low) / max(1, most))
    values = _multiples(low, high, step)
    while len(values) > most + 1:
        step = nice_step(step * 1.5)
        values = _multiples(low, high, step)
    return _labelled(values, step)


def log_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return powers of ten from `low` to `high` (over 0), where they are few also 2 and 5 times."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = [float(f"1e{power}") for power in range(first, last + 1)]
    values = _within(powers, low, high)
    if len(values) < 2:
        values = _within([factor * it for it in powers for factor in (1, 2, 5)], low, high)
    if len(values) < 2:
        return y_ticks(low, high, most)
    every = math.ceil(len(values) / (max(1, most) + 1))
    return [Tick(value, short(value)) for value in values[::every]]


def x_ticks(low: float, high: float, axis: XAxis, width: int) -> list[Tick]:
    """Return ticks whose centred labels do not touch each other on `width` cells."""
    for step in _x_steps((high - low) / max(1, width), axis):
        values = _multiples(low, high, step, _day_offset(low) if axis == "clock" else 0.0)
        write = x_writer(axis, step, high)
        ticks = [Tick(value, write(value)) for value in values]
        if _labels_fit(ticks, (high - low) / max(1, width)):
            return ticks
    return []


def x_label(x: float, axis: XAxis) -> str:
    """Return a place on the x-axis as it is read at the cursor."""
    if axis in ("elapsed", "clock"):
        return x_writer(axis, 1.0, x)(x)
    if axis == "epoch":
        return f"{x:.2f}"
    return f"{x:,.0f}" if abs(x) < 1e15 else f"{x:.2e}"


def short(value: float) -> str:
    """Return a value in few characters: `1,500`, `15 k`, `2.5 M`, `1.6e-4`."""
    magnitude = abs(value)
    if magnitude >= 1e15:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    for size, prefix, _ in PREFIXES:
        if magnitude >= max(size, WITHOUT_PREFIX):
            return f"{_trimmed(f'{value / size:.2f}')} {prefix}"
    text = significant(value)
    return text if "e" in text or "," in text else _trimmed(text)


def _x_steps(least: float, axis: XAxis) -> Iterator[float]:
    if axis == "clock" or (axis == "elapsed" and least >= 0.1):
        yield from (float(it) for it in TIME_STEPS + HOUR_STEPS if it >= least)
        yield from (it * DAY for it in DAY_STEPS if it * DAY >= least)
        least = max(least, 2 * DAY_STEPS[-1] * DAY)
    step = nice_step(least)
    if axis not in ("epoch", "elapsed"):
        step = max(1.0, step)
    for _ in range(24):
        yield step
        step = nice_step(step * 1.5)


def x_writer(axis: XAxis, step: float, high: float) -> Callable[[float], str]:
    """Return how places on an axis are written whose ticks are `step` apart."""
    if axis == "clock":
        return lambda x: _clock(x, step)
    if axis == "elapsed":
        return lambda x: _elapsed(x, step)
    return lambda x: _plain(x, step, high)


def _plain(x: float, step: float, high: float) -> str:
    """Return a number with as many decimals as its step needs."""
    high = max(abs(high), abs(x))
    if high >= 1e15 or (high < 1e-3 and high > 0):
        return short(x)
    for size, prefix, decimals in PREFIXES:
        if high >= max(size, WITHOUT_PREFIX) and step >= size / 10**decimals:
            return "0" if x == 0 else f"{x / size:,.{_decimals(step / size)}f} {prefix}"
    return f"{x:,.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _elapsed(x: float, step: float) -> str:
    sign, x = ("-", -x) if x < 0 else ("", x)
    if step < 1:
        return f"{sign}{x:.{_decimals(step)}f} s"
    seconds = round(x)
    if seconds == 0:
        return "0 s"
    parts: list[str] = []
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        whole, seconds = divmod(seconds, unit)
        if whole:
            parts.append(f"{whole:,} {name}")
    return sign + " ".join(parts[:2])


def _clock(x: float, step: float) -> str:
    try:
        local = datetime.fromtimestamp(x, tz=UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return short(x)
    if step >= DAY:
        return f"{local:%d %b}"
    if step >= MINUTE:
        return f"{local:%H:%M}"
    return f"{local:%H:%M:%S}"


def _day_offset(x: float) -> float:
    """Return how far local midnight is from that of UTC, so that ticks fall on round hours."""
    try:
        offset = datetime.fromtimestamp(x, tz=UTC).astimezone().utcoffset()
    except (OverflowError, ValueError, OSError):
        return 0.0
    return -offset.total_seconds() if offset else 0.0


def _multiples(low: float, high: float, step: float, offset: float = 0.0) -> list[float]:
    slack = 1e-9 * step
    first = math.ceil((low - offset - slack) / step)
    count = math.floor((high - offset + slack) / step) - first + 1
    if not 0 < count <= 1000:
        return []
    digits = 15 - math.ceil(math.log10(max(abs(low), abs(high), step)))
    return [round((first + it) * step + offset, min(digits, 300)) + 0.0 for it in range(count)]


def _within(values: Sequence[float], low: float, high: float) -> list[float]:
    return [it for it in values if low * (1 - 1e-9) <= it <= high * (1 + 1e-9)]


def _labelled(values: Sequence[float], step: float) -> list[Tick]:
    """Return ticks, each label at most once."""
    high = max((abs(it) for it in values), default=0.0)
    ticks: dict[str, Tick] = {}
    for value in values:
        label = _plain(value, step, high)
        label = label if len(label) <= LONGEST_LABEL else short(value)
        ticks.setdefault(label, Tick(value, label))
    return list(ticks.values())


def _labels_fit(ticks: Sequence[Tick], cell: float) -> bool:
    """Whether labels keep their distance; a tick's cell may be rounded to either side."""
    for left, right in pairwise(ticks):
        needed = (len(left.label) + len(right.label)) / 2 + LABEL_GAP + 1
        if (right.value - left.value) / cell < needed:
            return False
    return True


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
