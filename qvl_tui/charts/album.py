"""The charts of one run or of several, computed when they are looked at."""

import re
from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np

from qvl_tui.charts.axes import X_AXES, Snapshot, at_steps
from qvl_tui.charts.catalogue import (
    bounds,
    chart_data,
    chart_titles,
    compared_chart_data,
    compared_chart_titles,
)
from qvl_tui.charts.data import ChartData, XAxis
from trainer.run.state import RunState


class Album:
    """What the charts of some runs show at one moment; a run on its own has no label."""

    def __init__(self, states: Sequence[RunState], labels: Sequence[str] | None = None) -> None:
        self._labels = labels
        self._snapshots = [Snapshot(state) for state in states]
        self._data: dict[tuple[str, XAxis, float], ChartData] = {}

    @cached_property
    def titles(self) -> dict[str, str]:
        """Key and title of every chart, in order."""
        states = [snapshot.state for snapshot in self._snapshots]
        return chart_titles(states[0]) if self._labels is None else compared_chart_titles(states)

    def fitting(self, words: str) -> list[str]:
        """Return the charts whose title or key fits a pattern, or has these words in it."""
        try:
            pattern = re.compile(words, re.IGNORECASE)
        except re.error:
            pattern = re.compile(re.escape(words), re.IGNORECASE)
        titles = self.titles.items()
        return [key for key, title in titles if pattern.search(title) or pattern.search(key)]

    @property
    def x_axes(self) -> tuple[XAxis, ...]:
        """The axes on which these runs can be seen; runs are not compared by the clock.

        Before the first step there is nothing but the clock to place a measurement by.
        """
        if self._labels is not None:
            return tuple(it for it in X_AXES if it != "clock")
        return X_AXES if len(self._snapshots[0].state.steps) else ("clock",)

    def x_axis(self, wanted: str) -> XAxis:
        """Return the wanted axis, or the one nearest to it that these runs have."""
        known: dict[str, XAxis] = {axis: axis for axis in self.x_axes}
        nearest: XAxis = "elapsed" if wanted == "clock" else "step"
        return known.get(wanted, nearest if nearest in known else self.x_axes[0])

    def data(self, key: str, x_axis: XAxis, smoothing: float) -> ChartData:
        """Return what a chart shows; the same object as long as nothing changes."""
        wanted = key, x_axis, smoothing
        if wanted not in self._data:
            self._data[wanted] = (
                chart_data(self._snapshots[0], *wanted)
                if self._labels is None
                else compared_chart_data(self._snapshots, self._labels, *wanted)
            )
        return self._data[wanted]

    def keep(self, keys: Collection[str], x_axis: XAxis, smoothing: float) -> None:
        """Let go of all charts but these: every one takes memory, and can be had again."""
        kept = {(key, x_axis, smoothing) for key in keys}
        self._data = {wanted: data for wanted, data in self._data.items() if wanted in kept}

    def bounds(self, x_axis: XAxis) -> tuple[float, float] | None:
        """Return the first and last x of all charts together."""
        return bounds(self._snapshots, x_axis)

    def place(self, step: float, x_axis: XAxis) -> float | None:
        """Return where a step of the (first) run lies."""
        run = self._snapshots[0]
        if x_axis != "clock":
            x = float(at_steps(run, x_axis, np.array([step]), np.array([np.nan]))[0])
            return None if np.isnan(x) else x
        row = int(np.searchsorted(run.column("steps", "step"), step))
        return _at(run, x_axis, row)

    def carried(self, x: float, from_axis: XAxis, to_axis: XAxis) -> float | None:
        """Return where a place of one axis lies on another, to the nearest step before it."""
        run = self._snapshots[0]
        row = int(np.searchsorted(run.positions("steps", from_axis), x, side="right")) - 1
        return _at(run, to_axis, max(row, 0))


def _at(run: Snapshot, x_axis: XAxis, row: int) -> float | None:
    """Return where a row of the steps lies, the last one for rows beyond it."""
    positions = run.positions("steps", x_axis)
    if not len(positions):
        return None
    x = float(positions[min(row, len(positions) - 1)])
    return None if np.isnan(x) else x
