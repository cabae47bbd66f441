"""Fire the rules over a run once for every episode of trouble."""

from collections import deque

from trainer.run.events import Alert
from trainer.run.rules import (
    PERIODIC_WINDOW,
    RULES,
    AlertMemory,
    Finding,
    Severity,
    look_for_spikes,
)
from trainer.run.state import RunState

REARM_SECONDS = 60.0  # a rule fires again only after it was clear for so long


def from_now_on(state: RunState) -> AlertMemory:
    """Return a memory for which the past of a resumed run is told already."""
    return AlertMemory(step=state.step, resumes=len(state.resumes))


def evaluate_rules(state: RunState, memory: AlertMemory, now: float) -> list[Alert]:
    """Return the alerts of the episodes that began since the last call.

    An episode of a rule lasts until the rule has been clear for a minute; `now` are monotonic
    seconds, because the times of events go back when somebody sets the clock.
    """
    _go_back(state, memory)
    look_for_spikes(state, memory)
    alerts: list[Alert] = []
    for name, severity, rule in RULES:
        finding = rule(state, memory)
        if finding is None:
            _end_episode(name, now, memory)
            continue
        if name not in memory.episodes:
            alerts.append(_alert(name, severity, finding, state.step))
        memory.episodes[name] = None
    memory.step = state.step
    return alerts


def _go_back(state: RunState, memory: AlertMemory) -> None:
    """Forget what was seen after the checkpoint from which the run went on."""
    for resumed in state.resumes[memory.resumes :]:
        memory.spikes = deque((s for s in memory.spikes if s <= resumed.step), PERIODIC_WINDOW)
        memory.step = min(memory.step, resumed.step)
    memory.resumes = len(state.resumes)


def _end_episode(name: str, now: float, memory: AlertMemory) -> None:
    """Note that a rule is clear, and end its episode when it has been so for long enough."""
    if name not in memory.episodes:
        return
    since = memory.episodes[name]
    if since is None:
        memory.episodes[name] = now
    elif now - since >= REARM_SECONDS:
        del memory.episodes[name]


def _alert(name: str, severity: Severity, finding: Finding, step: int) -> Alert:
    return Alert(
        rule=name,
        severity=severity,
        step=step if finding.step is None else finding.step,
        value=finding.value,
        message=finding.message,
        advice=finding.advice,
    )
