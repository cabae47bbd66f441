"""Start the trainer's ranks, each in a process group of its own; signal and reap them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from trainer.supervisor.python import python_environment

# Ranks meet through a file; the Accelerator only wants to see an address. They talk over loopback.
AMONG_RANKS = {
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "GLOO_SOCKET_IFNAME": "lo",
    "NCCL_SOCKET_IFNAME": "lo",
}


def rank_environment(rank: int, ranks: int, attempt: int, lock_fd: int) -> dict[str, str]:
    """Return what a rank is told through its environment; one alone is told of no others."""
    others = {"LOCAL_RANK": str(rank), **AMONG_RANKS} if ranks > 1 else {}
    return {
        **others,
        "RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "QVL_ATTEMPT": str(attempt),
        "QVL_LOCK_FD": str(lock_fd),
        "QVL_SUPERVISOR_PID": str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
    }


class RankStartError(RuntimeError):
    """The system refused to start a trainer process."""


class Ranks:
    """The trainer processes of one attempt."""

    def __init__(self, lock_fd: int) -> None:
        self._lock_fd = lock_fd
        self._processes: list[subprocess.Popen[bytes]] = []
        self._order_of_end: list[int] = []

    def start(
        self, command: Sequence[str], ranks: int, attempt: int, console: int, cwd: Path
    ) -> None:
        """Start every rank, its output in `console`.

        Raises:
            RankStartError: A process could not be started.

        """
        try:
            for rank in range(ranks):
                told = rank_environment(rank, ranks, attempt, self._lock_fd)
                self._processes.append(self._start_one(command, told, console, cwd))
        except OSError as error:
            raise RankStartError(f"the trainer could not be started: {error}") from error

    def _start_one(
        self, command: Sequence[str], told: dict[str, str], console: int, cwd: Path
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            cwd=cwd,
            env={**python_environment(), **told},
            pass_fds=(self._lock_fd,),
            process_group=0,
            umask=0o077,  # data and weights are the user's alone
        )

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids, by rank."""
        return tuple(process.pid for process in self._processes)

    def reap(self) -> list[int]:
        """Return the ranks that ended since the last call, their groups killed.

        The group is killed before its leader is reaped, while the number cannot belong to others.
        """
        ended = [rank for rank in self._running() if self._has_ended(rank)]
        for rank in ended:
            self._kill_group(rank)
            self._processes[rank].wait()
        self._order_of_end += ended
        return ended

    def _running(self) -> list[int]:
        return [rank for rank, it in enumerate(self._processes) if it.returncode is None]

    def _has_ended(self, rank: int) -> bool:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._processes[rank].pid, flags) is not None

    @property
    def alive(self) -> bool:
        """Whether any rank still runs."""
        return bool(self._running())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every rank that runs, SIGKILL to its whole group."""
        for rank in self._running():
            if number == signal.SIGKILL:
                self._kill_group(rank)
            else:
                os.kill(self._processes[rank].pid, number)

    def kill(self) -> None:
        """End every rank at once and wait for it."""
        self.send(signal.SIGKILL)
        for rank in self._running():
            self._processes[rank].wait()

    def ask_for_stacks(self) -> list[int]:
        """Send SIGUSR2 to the ranks that dump their stacks at it; return those ranks.

        A rank that has not come so far as to catch the signal would die of it.
        """
        asked = [rank for rank in self._running() if catches(self.pids[rank], signal.SIGUSR2)]
        for rank in asked:
            os.kill(self.pids[rank], signal.SIGUSR2)
        return asked

    def _kill_group(self, rank: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._processes[rank].pid, signal.SIGKILL)

    def codes(self) -> list[tuple[int, int]]:
        """Return (rank, return code) in the order in which the ranks ended; -N is signal N."""
        return [(rank, self._processes[rank].returncode) for rank in self._order_of_end]


def catches(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal, False where that cannot be known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    for line in status.splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
