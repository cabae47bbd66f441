"""Trainer processes that start at once: forked from one that has imported everything already.

Where there is a GPU they are not: it cannot be used in a fork of a process that looked for it.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

# A second of a rank's start is its own work; six are imports.
_FORKS = (
    multiprocessing.get_context("spawn")
    if torch.cuda.is_available()
    else multiprocessing.get_context("forkserver")
)
_FORKS.set_forkserver_preload(["trainer.train.rank"])

Main = Callable[[Path], int]


class ForkedRank:
    """A rank in a session of its own, with the methods of a Popen that tests use."""

    def __init__(self, root: Path, told: Mapping[str, str], console: Path, main: Main) -> None:
        """`main` gets `root` and returns the exit code; `told` goes into its environment."""
        console.touch(mode=0o600)
        self._process = _FORKS.Process(target=_run, args=(root, dict(told), console, main))
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; -N is signal N."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _run(root: Path, told: dict[str, str], console: Path, main: Main) -> None:
    os.setsid()
    parent = {"QVL_SUPERVISOR_PID": str(os.getppid())} if "QVL_SUPERVISOR_PID" in told else {}
    os.environ.update({**told, **parent})
    descriptor = os.open(console, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.exit(main(root))
