"""Trainer processes on a run directory, without a supervisor, that can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trainer.config.load import dump_config, load_config
from trainer.run.codec import decode
from trainer.run.events import AnyEvent, Step
from trainer.run.layout import RunLayout
from trainer.supervisor.ranks import rank_environment


@dataclass
class Run:
    """A run directory and the trainer processes started on it."""

    layout: RunLayout
    attempt: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the next attempt."""
        self.attempt += 1
        return self._start_one((sys.executable, "-m", "trainer"), {})

    def start_ranks(self, *command: str) -> list[subprocess.Popen[bytes]]:
        """Start the next attempt with two ranks; without a command as the supervisor does."""
        self.attempt += 1
        command = command or (sys.executable, "-m", "trainer")
        return [
            self._start_one(command, rank_environment(rank, 2, self.attempt, -1))
            for rank in range(2)
        ]

    def _start_one(self, command: tuple[str, ...], told: dict[str, str]) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            **told,
            "QVL_ATTEMPT": str(self.attempt),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        environment.pop("QVL_LOCK_FD", None)  # the run is not locked
        with self.layout.console.open("ab") as console:
            process = subprocess.Popen(
                [*command, str(self.layout.root)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def finish(self, expected: int = 0) -> None:
        """Run an attempt to its end and check its exit code."""
        code = self.start().wait(timeout=400)
        assert code == expected, self.layout.console.read_text()[-3000:]

    def kill_at(self, reached: Callable[["Run"], bool]) -> None:
        """Start an attempt and kill it with SIGKILL once `reached` says so."""
        process = self._started_until(reached)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_at(self, reached: Callable[["Run"], bool]) -> None:
        """Start an attempt and ask it to stop once `reached` says so."""
        process = self._started_until(reached)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 3, self.layout.console.read_text()[-3000:]

    def _started_until(self, reached: Callable[["Run"], bool]) -> subprocess.Popen[bytes]:
        process = self.start()
        deadline = time.monotonic() + 300
        while not reached(self):
            assert process.poll() is None, self.layout.console.read_text()[-3000:]
            assert time.monotonic() < deadline, "the run did not get there"
            time.sleep(0.005)
        return process

    def events(self) -> list[AnyEvent]:
        """Return every complete event, also of attempts that were cut off in the middle."""
        if not self.layout.events.exists():
            return []
        whole, _newline, _torn = self.layout.events.read_bytes().rpartition(b"\n")
        found: list[AnyEvent] = []
        for line in whole.split(b"\n"):
            try:
                found.append(decode(line))
            except ValueError:
                assert not line.endswith(b"}"), line
        return found

    def of(self, kind: type) -> list:
        """Return the events of one type."""
        return [event for event in self.events() if isinstance(event, kind)]

    def last_step(self) -> int:
        """Return the last step this attempt recorded."""
        steps = [event.step for event in self.of(Step) if event.attempt == self.attempt]
        return steps[-1] if steps else 0

    def losses(self) -> dict[int, float | None]:
        """Return the loss of every step, of the last attempt that took it."""
        return {event.step: event.loss for event in self.of(Step)}


@contextmanager
def run_maker(
    folder: Path, checkpoint: Path, shapes: tuple[Path, Path]
) -> Generator[Callable[..., Run]]:
    """Return a function that makes a run directory from a shipped preset and overrides."""
    made: list[Run] = []

    def make(name: str, *overrides: str, preset: str = "balanced") -> Run:
        root = folder / "runs" / name
        root.mkdir(parents=True)
        config = load_config(
            preset,
            [
                f"model.path={checkpoint}",
                f"data.train={shapes[0]}",
                f"data.validation={shapes[1]}",
                f"data.cache_dir={folder / 'cache'}",
                f"name={name}",
                "training.threads=1",
                *overrides,
            ],
        )
        run = Run(RunLayout(root))
        run.layout.config.write_text(dump_config(config))
        made.append(run)
        return run

    yield make
    for run in made:
        for process in run.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
