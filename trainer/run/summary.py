"""What a list of runs says about each, read anew only where something changed."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import orjson

from trainer.run.about import About, read_about
from trainer.run.codec import is_number
from trainer.run.layout import RunLayout, list_runs
from trainer.run.liveness import Holder, Status, holder, judge, quick_state
from trainer.run.regular import open_regular, read_small, why_unreadable
from trainer.run.series import Table
from trainer.run.state import RunState

LOSS_POINTS = 64
SAMPLE_BYTES = 8 * 2**10  # holds some whole step lines
RESULTS_NAME = "validation_results.json"

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class Best:
    """The lowest validation loss and where it was."""

    loss: float
    step: int


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run in a list; `state` is read from the ends of its files."""

    layout: RunLayout
    state: RunState
    status: Status
    about: About = field(default_factory=About)
    best: Best | None = None
    losses: tuple[float, ...] = ()  # over the whole run, at most LOSS_POINTS
    problem: str = ""  # why its files could not be read

    @property
    def started(self) -> float:
        """Unix seconds of the newest attempt's start; 0: unknown."""
        if self.state.current.supervisor:
            return self.state.current.supervisor.time
        return self.status.owner.started_unix_seconds if self.status.owner else 0.0

    @property
    def touched(self) -> float:
        """Unix seconds of the newest sign of it; 0: unknown."""
        return max(self.state.last_time, self.status.since)

    @property
    def skipped(self) -> int | None:
        """How many records were skipped; None: the middle of its events was not read."""
        return None if self.state.partial else self.state.skipped_count


def summarise(layout: RunLayout) -> RunSummary:
    """Return what there is to say about a run, in milliseconds for any length; never raises."""
    try:
        state = quick_state(layout)
        return RunSummary(
            layout=layout,
            state=state,
            status=judge(layout.name, state, holder(layout)),
            about=read_about(layout),
            best=_best(layout, state),
            losses=_losses(layout, state),
        )
    except (OSError, ValueError) as error:
        return _damaged(layout, error)


def _damaged(layout: RunLayout, error: Exception) -> RunSummary:
    why = why_unreadable(error) if isinstance(error, OSError) else str(error)
    state, problem = RunState(), f"its files cannot be read: {why}"
    nobody = Holder(locked=False, owner=None, owner_alive=None)
    status = judge(layout.name, state, nobody)
    told = Status(state=status.state, since=0.0, message=problem, attempt=0, owner=None, held=False)
    return RunSummary(layout=layout, state=state, status=told, problem=problem)


class Summaries:
    """The runs of a folder, again and again; not for two threads at once."""

    def __init__(self, runs: Path) -> None:
        """Begin with nothing read."""
        self._runs = runs
        self._known: dict[RunLayout, tuple[Stamp, RunSummary]] = {}

    def read(self) -> list[RunSummary]:
        """Return every run, by name.

        Raises:
            OSError: The folder cannot be listed.

        """
        self._known = {layout: self._newest(layout) for layout in list_runs(self._runs)}
        return [summary for _, summary in self._known.values()]

    def _newest(self, layout: RunLayout) -> tuple[Stamp, RunSummary]:
        stamp = _stamp(layout)
        before, summary = self._known.get(layout, ((), None))
        if summary is None or stamp != before or self._changed_hands(summary):
            return stamp, summarise(layout)
        return stamp, summary

    def _changed_hands(self, summary: RunSummary) -> bool:
        """Return whether a run that had somebody has another status though no file changed."""
        if not summary.status.held and summary.status.owner is None:
            return False
        layout = summary.layout
        try:
            return judge(layout.name, summary.state, holder(layout)) != summary.status
        except (OSError, ValueError):
            return True


def _stamp(layout: RunLayout) -> Stamp:
    """Return what changes whenever a file of the run does."""
    paths = (layout.events, layout.monitor, layout.telemetry, layout.owner, layout.about)
    return tuple(map(_file_stamp, (*paths, layout.config)))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


# --- what the middle of a long file holds -------------------------------------------------------


def _best(layout: RunLayout, state: RunState) -> Best | None:
    """Return the best evaluation; for a long file from what the trainer writes after each.

    Where that is missing, the best of a long file is unknown: only its ends were read.
    """
    if state.partial:
        return _recorded_best(layout)
    best = state.best_evaluation
    return Best(best.loss, best.step) if best and best.loss is not None else None


def _recorded_best(layout: RunLayout) -> Best | None:
    try:
        given: Any = orjson.loads(read_small(layout.root / RESULTS_NAME))
    except (OSError, ValueError):
        return None
    if not isinstance(given, dict):
        return None
    results = cast(dict[str, Any], given)
    loss, step = results.get("best_loss"), results.get("best_step")
    return Best(float(loss), step) if is_number(loss) and type(step) is int else None


def _losses(layout: RunLayout, state: RunState) -> tuple[float, ...]:
    """Return the loss over the whole run in at most LOSS_POINTS points."""
    steps = _sampled_steps(layout) if state.partial else state.steps
    known = [loss for loss in steps["loss"] if not isnan(loss)]
    if len(known) <= LOSS_POINTS:
        return tuple(known)
    bounds = [place * len(known) // LOSS_POINTS for place in range(LOSS_POINTS + 1)]
    return tuple(fmean(known[a:b]) for a, b in pairwise(bounds))


def _sampled_steps(layout: RunLayout) -> Table:
    """Return one step for each of LOSS_POINTS places in a long file."""
    steps = Table("step")
    descriptor = open_regular(layout.events)
    try:
        size = os.fstat(descriptor).st_size
        for place in range(1, LOSS_POINTS + 1):
            offset = max(size * place // LOSS_POINTS - SAMPLE_BYTES, 0)
            lines = os.pread(descriptor, SAMPLE_BYTES, offset).split(b"\n")[1:-1]
            if row := _last_step(reversed(lines)):
                steps.append(row)
    finally:
        os.close(descriptor)
    return steps


def _last_step(lines: Iterable[bytes]) -> dict[str, float | None] | None:
    for line in lines:
        if not line.startswith(b"{") or b'"type":"step"' not in line:
            continue
        try:
            row: Any = orjson.loads(line)
        except ValueError:
            continue
        step, loss = (cast(dict[str, Any], row).get(name) for name in ("step", "loss"))
        if is_number(step) and is_number(loss):
            return {"step": step, "loss": loss}
    return None
