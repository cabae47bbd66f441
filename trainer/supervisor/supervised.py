"""What a supervisor holds over all attempts of a run."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from signal import SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1

from trainer.config.load import load_config
from trainer.config.schema import SupervisionConfig
from trainer.run.alerts import AlertMemory, from_now_on
from trainer.run.events import AnyEvent, CommandReceived
from trainer.run.layout import RunLayout
from trainer.run.liveness import load_state
from trainer.run.lock import RunLock
from trainer.run.owner import remove_owner
from trainer.run.state import RunState
from trainer.run.tail import EventTail
from trainer.supervisor.console import open_console, report
from trainer.supervisor.inbox import Inbox
from trainer.supervisor.restart import Reached, next_attempt
from trainer.supervisor.signals import Signals


@dataclass
class SupervisedRun:
    """A run, its files and what is known of it."""

    layout: RunLayout
    lock: RunLock
    config: SupervisionConfig
    command: Sequence[str]  # of a rank
    ranks: int
    signals: Signals
    console: int
    state: RunState
    events: EventTail
    inbox: Inbox
    next_attempt: int
    alert_memory: AlertMemory

    def report(self, text: str) -> None:
        """Write a line of our own into console.log."""
        report(self.console, text)

    def read_events(self, *, complete: bool = False) -> int:
        """Apply what the trainer wrote since the last call; return how many events it was."""
        count = 0
        while True:
            for event in self.events.read(complete=complete):
                self.state.apply(event)
                count += 1
            if self.events.at_end:
                return count

    @property
    def reached(self) -> Reached:
        """How far the run has come."""
        kept = self.state.kept_checkpoints
        return Reached(checkpoint_step=kept[-1].step if kept else 0, step=self.state.step)


@contextmanager
def supervised_run(
    layout: RunLayout, lock: RunLock, command: Sequence[str], ranks: int | None
) -> Generator[SupervisedRun]:
    """Take over a run: its history is read, signals are caught, the owner file goes at the end."""
    signals = Signals(caught=(SIGTERM, SIGINT, SIGUSR1, SIGCHLD), ignored=(SIGHUP,))
    console = open_console(layout.console)
    events = EventTail(layout.events, start=_size(layout))
    state = load_state(layout)
    monitor = read_all(EventTail(layout.monitor))
    answered = {it.id for it in monitor if isinstance(it, CommandReceived)}
    config = load_config(layout.config, files_must_exist=False)
    try:
        with signals:
            yield SupervisedRun(
                layout=layout,
                lock=lock,
                config=config.supervision,
                command=command,
                ranks=ranks or config.training.ranks,
                signals=signals,
                console=console,
                state=state,
                events=events,
                inbox=Inbox(layout, answered),
                next_attempt=next_attempt(monitor, state.attempt),
                alert_memory=from_now_on(state),
            )
    finally:
        remove_owner(layout)
        os.close(console)


def read_all(tail: EventTail) -> list[AnyEvent]:
    """Return every event of a file that nobody writes now."""
    events = tail.read(complete=True)
    while not tail.at_end:
        events += tail.read(complete=True)
    return events


def _size(layout: RunLayout) -> int:
    return layout.events.stat().st_size if layout.events.exists() else 0
