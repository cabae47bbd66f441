"""Kill the processes of a run at a drawn moment, and see what they leave behind."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import orjson
import psutil

from tests.program import Program
from trainer.run.events import AnyEvent, Exit, Phase, RankStarted, Step, SupervisorStarted
from trainer.run.manifest import verify_checkpoint
from trainer.run.tail import EventTail
from trainer.train.checkpoint import found_checkpoints
from trainer.train.save import STATE_NAME

Target = Literal["trainer", "supervisor", "worker"]
When = Literal["starting", "training", "saving"]

POLL_SECONDS = 0.01
PATIENCE_SECONDS = 600.0
FIRST_START_SECONDS = 4.0  # until one was measured
LAST_STEPS = 4  # of an attempt before it is killed, at most
STEP_SECONDS, SAVE_SECONDS = 0.15, 0.08  # within which a kill falls


@dataclass(frozen=True)
class Moment:
    """Who is killed, and when."""

    target: Target
    when: When
    share: float  # of the time that the moment may take, 0 to 1
    steps: int  # of the attempt that come before it

    @classmethod
    def draw(cls, chance: random.Random, *, workers: bool) -> "Moment":
        """Return a moment: mostly the trainer, half of the time between two steps."""
        (when,) = chance.choices(("starting", "training", "saving"), (25, 50, 25))
        with_workers = workers and when == "training"
        (target,) = chance.choices(("trainer", "supervisor", "worker"), (75, 15, 10 * with_workers))
        return cls(target, when, chance.random(), chance.randint(1, LAST_STEPS))


@dataclass(frozen=True)
class Kept:
    """A verified checkpoint's counters."""

    step: int
    samples: int
    target_tokens: int


@dataclass
class Killer:
    """Follows one run and kills it; goes on with it where it does not go on by itself."""

    program: Program
    killed: dict[tuple[Target, When], int] = field(default_factory=dict)
    kill_times: dict[int, float] = field(default_factory=dict)  # Unix seconds, by attempt
    verified: dict[tuple[int, int], Kept] = field(default_factory=dict)  # by step and attempt
    attempt: int = 0
    pid: int = 0  # of its trainer
    supervisor_pid: int = 0
    start_seconds: float = FIRST_START_SECONDS
    _attempt_time: float = 0.0
    _steps: int = 0  # of the attempt
    _saves: int = 0  # that the attempt has begun
    _ended: Exit | None = None

    def __post_init__(self) -> None:
        layout = self.program.layout
        self._monitor, self._events = EventTail(layout.monitor), EventTail(layout.events)

    @property
    def kills(self) -> int:
        """How many there were."""
        return sum(self.killed.values())

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self._ended is not None and self._ended.state == "finished"

    def kill(self, moment: Moment) -> None:
        """Wait for the moment in the next attempt, kill, and look at what is left."""
        self.wait_for_an_attempt()
        attempt, trainer = self.attempt, self.pid
        if self.wait_for_moment(moment) and self._strike(moment.target):
            place = moment.target, moment.when
            self.killed[place] = self.killed.get(place, 0) + 1
            self.kill_times[attempt] = time.time()
            self._wait(lambda: not _lives(trainer), "the trainer to be gone")
            self.verify()

    def wait_for_an_attempt(self) -> None:
        """Return once an attempt runs that was not killed yet; resume a run that gave up."""
        self._look()
        self._wait(self._goes_on_or_gave_up, "another attempt")
        if not _lives(self.pid) and not self.finished:
            self.program.call("resume", "real", "--detach")
            self._wait(lambda: _lives(self.pid), "the resumed attempt")

    def _goes_on_or_gave_up(self) -> bool:
        if _lives(self.pid) and self.attempt not in self.kill_times:
            return True
        gave_up = self._ended is not None and not self._ended.will_restart
        return gave_up or not _lives(self.supervisor_pid)

    def wait_for_moment(self, moment: Moment) -> bool:
        """Return whether the attempt came to the moment."""
        if moment.when == "starting":
            time.sleep(moment.share * self.start_seconds)
        elif moment.when == "training":
            self._wait(lambda: self._steps >= moment.steps or not _lives(self.pid), "a step")
            time.sleep(moment.share * STEP_SECONDS)
        else:
            saves = -(-moment.steps // 2)
            self._wait(lambda: self._saves >= saves or not _lives(self.pid), "a save")
            time.sleep(moment.share * SAVE_SECONDS)
        return _lives(self.pid)

    def _strike(self, target: Target) -> bool:
        """Kill; return whether there was somebody to be killed."""
        pids = {"trainer": self.pid, "supervisor": self.supervisor_pid}
        try:
            os.kill(pids.get(target) or _data_worker(self.pid), signal.SIGKILL)
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False
        return True

    def verify(self) -> None:
        """Verify every checkpoint that is there, before the next attempt writes.

        Raises:
            DamagedCheckpoint: A kill left one that does not hold.

        """
        for step, folder in found_checkpoints(self.program.layout):
            manifest = verify_checkpoint(folder)
            assert manifest.step == step
            counted = orjson.loads((folder / STATE_NAME).read_bytes())["progress"]
            assert counted["step"] == step
            kept = Kept(step, counted["samples"], counted["target_tokens"])
            self.verified[step, manifest.attempt] = kept

    def wait_for_the_end(self) -> None:
        """Let the run finish, going on with it as often as that takes."""
        while not self.finished:
            self.wait_for_an_attempt()
            self._wait(lambda: self._ended is not None, "the end", 10 * PATIENCE_SECONDS)

    def _wait(self, what: Callable[[], bool], name: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"no {name}; see {self.program.layout.console}"
            time.sleep(POLL_SECONDS)
            self._look()

    def _look(self) -> None:
        for event in (*self._monitor.read(), *self._events.read()):
            self._take(event)

    def _take(self, event: AnyEvent) -> None:
        if isinstance(event, SupervisorStarted):
            self.supervisor_pid, self.attempt = event.pid, event.attempt
            self._attempt_time, self._steps, self._saves, self._ended = event.time, 0, 0, None
        elif isinstance(event, RankStarted):
            self.pid = event.pid
        elif isinstance(event, Exit):
            self._ended = event
        elif event.attempt != self.attempt:
            return
        elif isinstance(event, Step):
            if not self._steps:
                self.start_seconds = event.time - self._attempt_time
            self._steps += 1
        elif isinstance(event, Phase) and event.name == "save" and event.state == "started":
            self._saves += 1


def _data_worker(trainer: int) -> int:
    """Return the first; a trainer has other children, which nobody misses.

    Raises:
        ProcessLookupError: There is none, or no longer.

    """
    for child in psutil.Process(trainer).children():
        if "spawn_main" in " ".join(child.cmdline()):
            return child.pid
    raise ProcessLookupError


def _lives(pid: int) -> bool:
    try:
        return bool(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
