"""Trainer processes on a run directory, that can be killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.ending import end_all_on
from tests.forked import ForkedRank, Main
from trainer.config.load import dump_config, load_config
from trainer.run.codec import decode
from trainer.run.events import AnyEvent, Step
from trainer.run.layout import RunLayout
from trainer.supervisor.ranks import rank_environment
from trainer.train import rank

Process = subprocess.Popen[bytes] | ForkedRank
MakeRun = Callable[..., "Run"]


@dataclass
class Run:
    """A run directory and the trainer processes started on it."""

    layout: RunLayout
    preset: str
    options: tuple[str, ...]
    attempt: int = 0
    processes: list[Process] = field(default_factory=list)

    def configure(self, *overrides: str) -> None:
        """Write the configuration that the next attempt reads."""
        config = load_config(self.preset, [*self.options, *overrides])
        self.layout.config.write_text(dump_config(config))

    def start(self, main: Main = rank.main) -> Process:
        """Start the next attempt."""
        self.attempt += 1
        return self._start_rank(main, {})

    def start_ranks(self, *command: str) -> list[Process]:
        """Start the next attempt with two ranks; without a command as the supervisor does."""
        self.attempt += 1
        told = [rank_environment(number, 2, self.attempt, -1) for number in range(2)]
        if command:
            return [self._start_command(command, it) for it in told]
        return [self._start_rank(rank.main, it) for it in told]

    def _start_rank(self, main: Main, told: dict[str, str]) -> Process:
        process = ForkedRank(self.layout.root, self._told(told), self.layout.console, main)
        self.processes.append(process)
        return process

    def _told(self, told: dict[str, str]) -> dict[str, str]:
        told = {key: value for key, value in told.items() if key != "QVL_LOCK_FD"}  # not locked
        return {
            **told,
            "QVL_ATTEMPT": str(self.attempt),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }

    def _start_command(self, command: tuple[str, ...], told: dict[str, str]) -> Process:
        with self.layout.console.open("ab") as console:
            process = subprocess.Popen(
                [*command, str(self.layout.root)],
                env={**os.environ, **self._told(told)},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def finish(self, expected: int = 0) -> None:
        """Run an attempt to its end and check its exit code."""
        self.ends_with(expected, self.start())

    def ends_with(self, expected: int, process: Process, seconds: float = 400) -> None:
        """Wait for the end of an attempt and check its exit code."""
        assert process.wait(timeout=seconds) == expected, self.layout.console.read_text()[-3000:]

    def kill_at(self, reached: Callable[["Run"], bool], later_seconds: float = 0.0) -> None:
        """Start an attempt and kill it with SIGKILL once `reached` says so, or a little later."""
        process = self.start_until(reached)
        time.sleep(later_seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_at(self, reached: Callable[["Run"], bool]) -> None:
        """Start an attempt and ask it to stop once `reached` says so."""
        process = self.start_until(reached)
        process.send_signal(signal.SIGTERM)
        self.ends_with(3, process)

    def start_until(self, reached: Callable[["Run"], object], main: Main = rank.main) -> Process:
        """Start an attempt and return it once `reached` says so."""
        process = self.start(main)
        deadline = time.monotonic() + 150
        while not reached(self):
            assert process.poll() is None, self.layout.console.read_text()[-3000:]
            assert time.monotonic() < deadline, "the run did not get there"
            time.sleep(0.01)
        return process

    def clean_up(self) -> None:
        """End what a failed test has left running."""
        for process in self.processes:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
                process.wait()
        end_all_on(self.layout.root)

    def events(self) -> list[AnyEvent]:
        """Return every complete event, also of attempts that were cut off in the middle."""
        return [*self._events(self.layout.events), *self._events(self.layout.monitor)]

    def _events(self, path: Path) -> list[AnyEvent]:
        if not path.exists():
            return []
        whole, _newline, _torn = path.read_bytes().rpartition(b"\n")
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
def run_maker(folder: Path, checkpoint: Path, shapes: tuple[Path, Path]) -> Iterator[MakeRun]:
    """Give a function that makes a run directory from a shipped preset and overrides."""
    made: list[Run] = []
    inputs = (
        f"model.path={checkpoint}",
        f"data.train={shapes[0]}",
        f"data.validation={shapes[1]}",
        f"data.cache_dir={folder / 'cache'}",
        "training.threads=1",
    )

    def make(name: str, *overrides: str, preset: str = "balanced") -> Run:
        run = Run(RunLayout(folder / "runs" / name), preset, (*inputs, f"name={name}", *overrides))
        run.layout.root.mkdir(parents=True)
        run.configure()
        made.append(run)
        return run

    yield make
    for run in made:
        run.clean_up()
