"""The measured process's side of a measurement: it works in turns, and reports what it did."""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TextIO

import psutil

from trainer.bench.gpu import finish_gpu_work, free_unused_gpu_memory
from trainer.bench.memory import peak_memory_bytes


class NoMoreTurns(Exception):
    """The measurement is over."""


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """One optimizer step: the loss a target token, and what went in."""

    loss: float | None
    target_tokens: int
    tokens: int  # without padding
    samples: int


class Clocks(NamedTuple):
    """A moment, by the wall and by the processors' work."""

    seconds: float
    processor_seconds: float  # of this process and its children, which tell in hundredths

    @classmethod
    def now(cls) -> "Clocks":
        """Read both."""
        children = (child.cpu_times() for child in psutil.Process().children(recursive=True))
        of_children = sum(times.user + times.system for times in children)
        return cls(time.perf_counter(), time.process_time() + of_children)


class Turns:
    """Says when this process may work. Its clock only runs during its turns."""

    def __init__(self, orders: TextIO, reports: TextIO) -> None:
        self._orders = orders
        self._reports = reports
        self._steps: list[dict[str, Any]] = []
        self._wanted = 0
        self._started = Clocks(0.0, 0.0)

    @classmethod
    def of_this_process(cls) -> "Turns":
        """Take standard input and output for it; what others print goes to standard error."""
        reports = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        return cls(sys.stdin, reports)

    def report(self, **facts: Any) -> None:
        """Send facts to whoever measures."""
        self._reports.write(json.dumps(facts) + "\n")
        self._reports.flush()

    def wait(self) -> int:
        """Wait for the next turn and return how many steps it has; the clock starts.

        Raises:
            NoMoreTurns: There is none.

        """
        line = self._orders.readline()
        if not line:
            raise NoMoreTurns
        self._wanted = json.loads(line)["steps"]
        self.start_clock()
        return self._wanted

    def start_clock(self) -> None:
        """Start the clock anew, for what is not to be measured before a turn's first step."""
        self._started = Clocks.now()

    def step(self, done: StepDone) -> bool:
        """Note a step and return whether it was the turn's last one; then all are reported."""
        is_last = len(self._steps) + 1 == self._wanted
        if is_last:
            finish_gpu_work()  # it would go on while this process is not timed
        now = Clocks.now()
        taken = {
            "seconds": now.seconds - self._started.seconds,
            "processor_seconds": now.processor_seconds - self._started.processor_seconds,
        }
        self._steps.append({**asdict(done), **taken})
        self._started = now
        if is_last:
            free_unused_gpu_memory()
            self.report(steps=self._steps, memory=peak_memory_bytes())
            self._steps = []
        return is_last
