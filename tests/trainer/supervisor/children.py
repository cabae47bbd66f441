"""A run with a supervisor of its own and a child instead of a trainer, for the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from trainer.run.events import AnyEvent, RankStarted, SupervisorStarted
from trainer.run.layout import RunLayout
from trainer.run.lock import is_locked
from trainer.run.tail import EventTail
from trainer.supervisor.python import python_environment

Event = TypeVar("Event")
WAIT_SECONDS = 20.0


class SupervisedChild:
    """A run directory, and what a test does with its supervisor."""

    def __init__(self, root: Path) -> None:
        self.layout = RunLayout(root)
        self.started: list[subprocess.Popen[str]] = []

    def configure(self, **supervision: object) -> None:
        config = {
            "model": {"path": str(self.layout.root)},
            "data": {"train": [str(self.layout.root / "train.jsonl")]},
            "supervision": {"telemetry_seconds": 0.2, **supervision},
        }
        self.layout.config.write_text(yaml.safe_dump(config))

    def start(self, modes: str, ranks: int = 1) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("run_supervisor.py")
        process = subprocess.Popen(
            [sys.executable, "-P", str(script), str(self.layout.root), modes, str(ranks)],
            stderr=subprocess.PIPE,
            text=True,
            env=python_environment(),
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> int:
        process.communicate(timeout=WAIT_SECONDS)
        return process.returncode

    def all(self, kind: type[Event]) -> list[Event]:
        return [it for it in self.read(self.layout.monitor) if isinstance(it, kind)] + [
            it for it in self.read(self.layout.events) if isinstance(it, kind)
        ]

    def last(self, kind: type[Event]) -> Event:
        return self.all(kind)[-1]

    def read(self, path: Path) -> list[AnyEvent]:
        return EventTail(path).read()

    def wait_for(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not come to pass in time"
            time.sleep(0.02)

    def console(self) -> str:
        return self.layout.console.read_text(errors="replace")

    def kill_all(self) -> None:
        """Kill the newest supervisor and its ranks as a lost machine would."""
        for started in self.all(SupervisorStarted)[-1:]:
            kill_group(started.pid)
        for rank in self.all(RankStarted):
            kill_group(rank.pid)
        self.wait_for(lambda: not is_locked(self.layout.root))

    def clean_up(self) -> None:
        for process in self.started:
            process.kill()
        self.kill_all()
        for process in self.started:
            process.wait()
            if process.stderr:
                process.stderr.close()


@contextmanager
def supervised_child(root: Path) -> Generator[SupervisedChild]:
    """Make a run directory; whatever was started for it ends with the test."""
    root.mkdir(parents=True)
    child = SupervisedChild(root)
    child.configure()
    try:
        yield child
    finally:
        child.clean_up()


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
