"""Place steps and moments of a run on the x-axis that is looked at."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from qvl_tui.charts.data import Floats, XAxis
from trainer.run.series import Table
from trainer.run.state import RunState

TableName = Literal["steps", "evaluations", "telemetry"]
X_AXES: tuple[XAxis, ...] = get_args(XAxis)
MOST = 1e15  # that one step can add to an axis; above it is no measurement


class Snapshot:
    """The numbers of a run at one moment, in arrays that nobody changes: mostly the run's own.

    Rows that came since are left out, rows that went are unknown, so all columns of a table have
    the length it had at that moment.
    """

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._lengths = {name: len(table_of(state, name)) for name in _POSITIONS}
        self._positions: dict[tuple[TableName, XAxis], Floats] = {}

    def column(self, table: TableName, name: str) -> Floats:
        """Return a column; NaN where it is unknown."""
        return _first_rows(table_of(self.state, table), name, self._lengths[table])

    def positions(self, table: TableName, x_axis: XAxis) -> Floats:
        """Return where the rows lie on an axis: ascending, NaN where that is unknown."""
        key = table, x_axis
        if key not in self._positions:
            self._positions[key] = _POSITIONS[table](self, x_axis)
        return self._positions[key]

    def bounds(self, x_axis: XAxis) -> tuple[float, float] | None:
        """Return the first and last x of everything that a chart may show; None: nothing yet."""
        ends = [
            known
            for table in _POSITIONS
            if (known := _known_ends(self.positions(table, x_axis))) is not None
        ]
        if not ends:
            return None
        return min(first for first, _ in ends), max(last for _, last in ends)


def table_of(state: RunState, name: TableName) -> Table:
    """Return a table of a run by its name."""
    match name:
        case "steps":
            return state.steps
        case "evaluations":
            return state.evaluations
        case "telemetry":
            return state.telemetry


def ascending(values: Floats) -> Floats:
    """Return `values` without ever going back; the unknown stays where it was before."""
    if (values[1:] >= values[:-1]).all() and not np.isnan(values[:1]).any():
        return values  # not a copy, of which a million steps take 8 MB
    risen = np.fmax.accumulate(values) if len(values) else values
    first = int(np.argmin(np.isnan(risen))) if len(risen) else 0
    return np.concatenate([np.full(first, risen[first]), risen[first:]]) if first else risen


def at_steps(snapshot: Snapshot, x_axis: XAxis, steps: Floats, times: Floats) -> Floats:
    """Return where what happened at these steps and times lies; NaN where that is unknown."""
    match x_axis:
        case "step":
            return steps
        case "clock":
            return times
        case _:
            known = snapshot.column("steps", "step")
            positions = snapshot.positions("steps", x_axis)
            if not len(known) or np.isnan(positions[0]):
                return np.full(len(steps), np.nan)
            # Before the first step there is step 0, which is 0 on all of these axes.
            known, positions = np.append([0.0], known), np.append([0.0], positions)
            return np.interp(steps, known, positions)


def _at_times(snapshot: Snapshot, x_axis: XAxis, times: Floats) -> Floats:
    """Return where these ascending moments lie; NaN before the first step and after the last."""
    if x_axis == "clock":
        return times
    clock, positions = (snapshot.positions("steps", axis) for axis in ("clock", x_axis))
    if not len(clock) or np.isnan(clock[0]) or np.isnan(positions[0]):
        return np.full(len(times), np.nan)
    return np.interp(times, clock, positions, left=np.nan, right=np.nan)


def _known_ends(positions: Floats) -> tuple[float, float] | None:
    """Return the first and last place that is known."""
    known = ~np.isnan(positions)
    if not known.any():
        return None
    return float(positions[known.argmax()]), float(positions[-1 - known[::-1].argmax()])


def _first_rows(table: Table, name: str, length: int) -> Floats:
    values = np.asarray(table[name], dtype=np.float64)[:length]
    if np.isinf(values).any():
        values = np.where(np.isinf(values), np.nan, values)
    missing = length - len(values)
    return np.append(values, np.full(missing, np.nan)) if missing else values


def _of_steps(snapshot: Snapshot, x_axis: XAxis) -> Floats:
    match x_axis:
        case "step" | "epoch":
            return ascending(snapshot.column("steps", x_axis))
        case "clock":
            return ascending(snapshot.column("steps", "time"))
        case "samples" | "target_tokens":
            return _added_up(snapshot, x_axis)
        case "elapsed":
            return np.cumsum(_training_seconds(snapshot))


def _of_evaluations(snapshot: Snapshot, x_axis: XAxis) -> Floats:
    steps, times = (snapshot.column("evaluations", name) for name in ("step", "time"))
    return ascending(at_steps(snapshot, x_axis, steps, times))


def _of_telemetry(snapshot: Snapshot, x_axis: XAxis) -> Floats:
    return _at_times(snapshot, x_axis, ascending(snapshot.column("telemetry", "time")))


_POSITIONS: dict[TableName, Callable[[Snapshot, XAxis], Floats]] = {
    "steps": _of_steps,
    "evaluations": _of_evaluations,
    "telemetry": _of_telemetry,
}


def _added_up(snapshot: Snapshot, name: str) -> Floats:
    """Return a running total; a row stands also for the steps that are missing before it."""
    steps = np.diff(snapshot.column("steps", "step"), prepend=0.0)
    return np.cumsum(_measured(snapshot.column("steps", name)) * _measured(steps))


def _training_seconds(snapshot: Snapshot) -> Floats:
    """Return the seconds between each step and the one before it.

    Where a later attempt went on, or the clock was set back, it is the duration of the step: the
    time in which nobody trained is left out.
    """
    durations = _measured(snapshot.column("steps", "seconds"))
    times = np.clip(snapshot.column("steps", "time"), -MOST, MOST)
    since_before = np.diff(times, prepend=np.nan)
    resumed = [event.step for event in snapshot.state.resumes]
    first_after = np.searchsorted(snapshot.column("steps", "step"), resumed, side="right")
    since_before[first_after[first_after < len(since_before)]] = np.nan
    return np.where(since_before >= 0, since_before, durations)


def _measured(values: Floats) -> Floats:
    """Return `values` with 0 for what cannot be."""
    return np.clip(np.nan_to_num(values), 0.0, MOST)
