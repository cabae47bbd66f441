"""Measure how long one chart takes to draw, by the number of points.

Run it as `python -m tests.benchmarks.chart_speed`. A raw curve and a smoothed one are drawn at
60 x 16 cells, anew each time; then only the cursor moves over them.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

from qvl_tui.charts.data import ChartData, Curve, View
from qvl_tui.charts.frame import framed
from qvl_tui.charts.plot import Layout, plotted

LENGTHS = (500, 5_000, 50_000, 1_000_000)
ROUNDS = 15
LAYOUT = Layout(60, 16)


def noisy(points: int) -> ChartData:
    """Return a loss curve with its raw values behind it."""
    x = np.arange(1.0, points + 1)
    smooth = 0.4 + 2.0 * np.exp(-x / points * 5)
    raw = smooth + np.random.default_rng(0).normal(0.0, 0.1, points)
    return ChartData(
        "loss", "loss", "", (Curve("train", x, raw, "ghost"), Curve("train", x, smooth))
    )


def median_milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of a piece of work."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


def main() -> None:
    """Print a line for each number of points."""
    for points in LENGTHS:
        data = noisy(points)
        whole = median_milliseconds(partial(draw, data))
        cursor = median_milliseconds(
            partial(framed, plotted(data, View(), LAYOUT), data, View(cursor=points / 2))
        )
        print(f"{points:>9,} points  {whole:6.2f} ms  cursor {cursor:5.2f} ms")


def draw(data: ChartData) -> None:
    """Draw every row of a chart."""
    frame = framed(plotted(data, View(), LAYOUT), data, View())
    for row in range(LAYOUT.height):
        frame.line(row)


if __name__ == "__main__":
    main()
