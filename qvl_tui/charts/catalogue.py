"""Which charts a run has, and what is drawn in each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qvl_tui.charts.axes import Snapshot
from qvl_tui.charts.data import ChartData, Curve, XAxis
from qvl_tui.charts.entries import (
    Entry,
    Source,
    columns,
    compared_entries,
    entries,
    has_values,
    y_range,
)
from qvl_tui.charts.milestones import milestones
from qvl_tui.charts.smoothing import smooth
from trainer.run.state import RunState


def chart_titles(state: RunState) -> dict[str, str]:
    """Return key and title of the charts in which there is something to see, in a fixed order."""
    return {entry.key: entry.title for entry in entries(state) if has_values(state, entry)}


def chart_data(snapshot: Snapshot, key: str, x_axis: XAxis, smoothing: float) -> ChartData:
    """Return what a chart of one run shows.

    `smoothing` is the share of the past that each point keeps; where one number of the steps is
    drawn, its raw values lie behind the smoothed ones.
    """
    entry = next(it for it in entries(snapshot.state) if it.key == key)
    drawn = list(columns(snapshot.state, entry))
    alone = sum(source.table == "steps" for source, _, _ in drawn) == 1
    curves: list[Curve] = []
    for slot, (source, label, column) in enumerate(drawn):
        raw = replace(_curve(snapshot, entry, source, column, x_axis), label=label, slot=slot)
        smoothed = _smoothed(raw, entry, source, smoothing)
        if smoothed is not raw and alone:
            curves.append(replace(raw, label=f"{label} raw", style="ghost"))
        curves.append(smoothed)
    return ChartData(
        key=key,
        title=entry.title,
        unit=entry.unit,
        curves=tuple(curves),
        marks=milestones(snapshot, x_axis, evaluations=not entry.validated),
        y_range=y_range(snapshot.state, entry),
        x_range=bounds([snapshot], x_axis),
    )


def compared_chart_titles(states: Sequence[RunState]) -> dict[str, str]:
    """Return key and title of the charts in which at least one of the runs has something."""
    return {
        entry.key: entry.title
        for entry in compared_entries(states)
        if any(has_values(state, entry) for state in states)
    }


def compared_chart_data(
    snapshots: Sequence[Snapshot],
    labels: Sequence[str],
    key: str,
    x_axis: XAxis,
    smoothing: float,
) -> ChartData:
    """Return what a chart of several runs shows: each run has its slot, nothing lies behind."""
    states = [snapshot.state for snapshot in snapshots]
    entry = next(it for it in compared_entries(states) if it.key == key)
    curves: list[Curve] = []
    for slot, (snapshot, run) in enumerate(zip(snapshots, labels, strict=True)):
        for source, part, column in columns(snapshot.state, entry):
            raw = _curve(snapshot, entry, source, column, x_axis)
            label = f"{run} {part}" if source.several else run
            curve = _smoothed(raw, entry, source, smoothing)
            curves.append(replace(curve, label=label, slot=slot))
    return ChartData(
        key=key,
        title=entry.title,
        unit=entry.unit,
        curves=tuple(curves),
        y_range=entry.y_range,
        x_range=bounds(snapshots, x_axis),
    )


def bounds(snapshots: Sequence[Snapshot], x_axis: XAxis) -> tuple[float, float] | None:
    """Return the first and last x of all that the charts of some runs show; None: nothing yet."""
    known = [ends for it in snapshots if (ends := it.bounds(x_axis)) is not None]
    if not known:
        return None
    return min(first for first, _ in known), max(last for _, last in known)


def _curve(snapshot: Snapshot, entry: Entry, source: Source, column: str, x_axis: XAxis) -> Curve:
    """Return a column as it is; rows that have no place on the axis are left out."""
    x = snapshot.positions(source.table, x_axis)
    y = snapshot.column(source.table, column)
    if entry.scale != 1:
        with np.errstate(over="ignore"):
            y = y * entry.scale
        y[np.isinf(y)] = np.nan  # in its unit it is no number any more: unknown
    placed = ~np.isnan(x)
    if not placed.all():
        x, y = x[placed], y[placed]
    return Curve("", x, y, "points" if source.table == "evaluations" else "line")


def _smoothed(raw: Curve, entry: Entry, source: Source, smoothing: float) -> Curve:
    """Return a smoothed curve, or the same one where there is nothing to smooth."""
    if not (entry.smoothed and smoothing and source.table == "steps"):
        return raw
    return replace(raw, y=smooth(raw.y, smoothing))
