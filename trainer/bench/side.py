"""The hold on one measured process: it sleeps, with all its children, when it is not its turn."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.bench.errors import BenchFailed
from trainer.run.text import sanitise
from trainer.supervisor.python import python_environment

LAST_LINES = 12
LEAVING_SECONDS = 20.0


@dataclass(frozen=True)
class Turn:
    """What a process did in one turn."""

    steps: list[dict[str, Any]]  # fields of StepDone, and `seconds`
    memory: dict[str, int | None]  # as peak_memory_bytes returns it


class Side:
    """A process in a group of its own.

    The group is stopped between turns, because its workers would read ahead while others are
    measured. It lies in this session: should this process die, the kernel hangs it up.
    """

    def __init__(self, role: str, folder: Path) -> None:
        self.role = role
        self._log = folder / f"{role}.log"
        command = [sys.executable, "-P", "-m", "trainer.bench", role, str(folder)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=python_environment(),
                text=True,
                process_group=0,
            )

    def facts(self) -> dict[str, Any]:
        """Return what the process reports next, and stop it.

        Raises:
            BenchFailed: It failed.

        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchFailed(f"{self.role}: the process ended; its last words: {self._end()}")
        told = json.loads(line)
        if "failed" in told:
            raise BenchFailed(f"{self.role}: {told['failed']}", told["code"])
        self._signal(signal.SIGSTOP)
        return told

    def turn(self, steps: int) -> Turn:
        """Let the process take some steps and return them; raises BenchFailed."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"steps": steps}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchFailed(f"{self.role}: the process is gone: {self._end()}") from None
        return Turn(**self.facts())

    def close(self) -> None:
        """End the process; its own workers leave when it does."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(LEAVING_SECONDS)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # the whole group has ended

    def _end(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return sanitise("\n".join(lines), None, keep_newlines=True)
