"""What happened in a run, placed on the x-axis of its charts."""

from collections.abc import Iterator

import numpy as np

from qvl_tui.charts.axes import Snapshot, at_steps
from qvl_tui.charts.data import Mark, MarkKind, XAxis
from trainer.run.state import RunState
from trainer.run.text import sanitise

LABEL_CHARACTERS = 80


def milestones(snapshot: Snapshot, x_axis: XAxis, *, evaluations: bool) -> tuple[Mark, ...]:
    """Return the marks of a run by their place; evaluations only where they are not drawn."""
    happened = [it for it in _happened(snapshot.state) if evaluations or it[2] != "evaluation"]
    steps = np.array([step for step, _, _, _ in happened], dtype=np.float64)
    times = np.array([time for _, time, _, _ in happened], dtype=np.float64)
    placed = at_steps(snapshot, x_axis, steps, times)
    found = [
        Mark(x, kind, label)
        for x, (_, _, kind, label) in zip(placed.tolist(), happened, strict=True)
        if np.isfinite(x)
    ]
    return tuple(sorted(found, key=lambda mark: mark.x))


def _happened(state: RunState) -> Iterator[tuple[float, float, MarkKind, str]]:
    """Yield step, time, kind and words of what happened."""
    for checkpoint in state.checkpoints.values():
        if checkpoint.status != "rejected":
            label = f"checkpoint {checkpoint.step:,}" + (", best" if checkpoint.best else "")
            yield checkpoint.step, checkpoint.time, "checkpoint", label
    for evaluation in state.evaluation_events:
        yield evaluation.step, evaluation.time, "evaluation", f"evaluation {evaluation.step:,}"
    for resume in state.resumes:
        if resume.step:
            yield resume.step, resume.time, "resume", f"resumed at {resume.step:,}"
    for alert in state.alerts:
        yield alert.step, alert.time, "alert", sanitise(alert.message, LABEL_CHARACTERS)
    for event in state.non_finite:
        yield event.step, event.time, "non_finite", f"{event.what} not finite at {event.step:,}"
