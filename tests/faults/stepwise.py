"""A real attempt at a run, in a forked process that trains a step whenever it is told to."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection

from tests.training import Trained, Training
from trainer.data.batch import Window
from trainer.data.errors import DataError
from trainer.run.commands import send_command
from trainer.run.events import CommandName
from trainer.run.layout import RunLayout
from trainer.train import loop
from trainer.train.resume import CheckpointRefused

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Standing:
    """Where an attempt stands between two steps."""

    step: int
    samples: int
    target_tokens: int
    records: tuple[int, ...] = ()  # lines of those the last step was made of


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: finished, stopped, or the name of what it raised."""

    how: str
    message: str = ""


Report = Standing | Ended


class Attempt:
    """The process, seen from outside."""

    def __init__(self, training: Training, number: int, options: tuple[str, ...]) -> None:
        """Start it; it prepares and then waits."""
        context = multiprocessing.get_context("fork")
        self._mine, theirs = context.Pipe()
        self._layout, self._number = RunLayout(training.folder / "run"), number
        work = partial(_work, training, number, options, theirs)
        self._process = context.Process(target=work, daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            self._process.start()
        theirs.close()

    def ask(self, command: CommandName) -> None:
        """Ask for something as a person would; it is done with the next step."""
        send_command(self._layout, self._number, command)

    def go_on(self) -> None:
        """Let it take a step."""
        self._mine.send(None)

    def report(self) -> Report:
        """Return where it stands, once it waits again or has ended."""
        assert self._mine.poll(PATIENCE_SECONDS), "the attempt hangs"
        report: Report = self._mine.recv()
        if isinstance(report, Ended):
            self._process.join(PATIENCE_SECONDS)
        return report

    def kill(self) -> None:
        """Kill it where it is."""
        pid = self._process.pid
        assert pid is not None
        if self._process.is_alive():
            os.kill(pid, signal.SIGKILL)
        self._process.join()
        self._mine.close()


def _work(training: Training, number: int, options: tuple[str, ...], pipe: Connection) -> None:
    """Train under control; this is what the process runs."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        trained = training(*options, attempt=number)
        loop.with_waiting_time = partial(_step_by_step, trained, pipe)
        ended = Ended(trained.go())
    except (DataError, CheckpointRefused) as error:
        ended = Ended(type(error).__name__, str(error))
    pipe.send(ended)


def _step_by_step(
    trained: Trained, pipe: Connection, windows: Iterator[Window]
) -> Iterator[tuple[Window, float]]:
    """Yield every window when it is asked for."""
    records: tuple[int, ...] = ()
    counted = asdict(trained.progress)
    while True:
        counted = {
            name: getattr(trained.progress, name) for name in ("step", "samples", "target_tokens")
        }
        pipe.send(Standing(**counted, records=records))
        pipe.recv()
        window = next(windows, None)
        if window is None:
            return
        records = tuple(source.line for source in window.totals.sources)
        yield window, 0.0
