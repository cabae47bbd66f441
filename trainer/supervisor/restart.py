"""Decide whether a run that broke is started again by itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from trainer.run.events import AnyEvent, Exit, SupervisorStarted
from trainer.supervisor.verdict import BAD_INPUT


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far an attempt came: the checkpoint to go on from, and the last step done."""

    checkpoint_step: int
    step: int


def next_attempt(monitor: Iterable[AnyEvent], events_attempt: int) -> int:
    """Return the number of the next attempt, from 1.

    `events_attempt` is the highest one in events.jsonl, which counts where monitor.jsonl is lost.
    """
    started = [it.attempt for it in monitor if isinstance(it, SupervisorStarted)]
    return max([0, events_attempt, *started]) + 1


@dataclass(frozen=True, kw_only=True)
class Restarts:
    """How often the run may be restarted by itself, and how often it was."""

    allowed: int
    used: int
    last: Reached | None  # how far it had come at the last one; None: there was none


def why_not_restart(end: Exit, restarts: Restarts, now: Reached, *, stop_asked: bool) -> str:
    """Return why the run is not started again; empty: it is."""
    if end.state not in ("failed", "crashed"):
        return f"it {end.state}"
    if end.code == BAD_INPUT:
        return "the configuration or the data has to be mended first"
    if stop_asked:
        return "a stop was asked for"
    if restarts.used >= restarts.allowed:
        return f"supervision.auto_resume allows {restarts.allowed} restarts"
    last = restarts.last
    if last and now.checkpoint_step <= last.checkpoint_step and now.step <= last.step:
        return f"the last restart came no further than step {last.step}"
    return ""
