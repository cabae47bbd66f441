"""Start a supervisor that outlives whoever starts it."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from trainer.run.events import SupervisorStarted
from trainer.run.layout import RunLayout
from trainer.run.lock import RunLock
from trainer.run.tail import EventTail
from trainer.supervisor.console import last_words, open_console
from trainer.supervisor.logout import SCOPE_COMMAND, Logout, what_logout_does
from trainer.supervisor.python import python_environment, supervisor_command

START_SECONDS = 60.0


class StartError(RuntimeError):
    """The supervisor ended before it began to watch."""


@dataclass(frozen=True)
class StartedRun:
    """A run under its own supervisor."""

    attempt: int
    process: subprocess.Popen[bytes]  # to be polled by a starter that lives on, so it is reaped
    logout: Logout


def start_run(layout: RunLayout, lock: RunLock) -> StartedRun:
    """Start the supervisor of a run, detached, and return once it watches.

    The lock goes over to it: this process's share is released.

    Raises:
        StartError: It ended at once, or did not begin in time.
        OSError: No process could be started.

    """
    watch = EventTail(layout.monitor, start=_size(layout.monitor))
    console_start = _size(layout.console)
    logout = what_logout_does()
    process = _spawn(layout, lock, logout)
    lock.release()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for event in watch.read():
            if isinstance(event, SupervisorStarted):
                return StartedRun(event.attempt, process, logout)
        if process.poll() is not None:
            words = last_words(layout.console, console_start)
            raise StartError(f"{layout.console}: the supervisor ended at once: {words}")
        time.sleep(0.02)
    raise StartError(f"{layout.monitor}: no supervisor after {START_SECONDS:.0f} s; see `qvl logs`")


def _spawn(layout: RunLayout, lock: RunLock, logout: Logout) -> subprocess.Popen[bytes]:
    console = open_console(layout.console)
    try:
        return subprocess.Popen(
            [*_scope(logout), *supervisor_command(layout.root)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            cwd=layout.root,
            env={**python_environment(), "QVL_LOCK_FD": str(lock.fd)},
            pass_fds=(lock.fd,),
            start_new_session=True,
        )
    finally:
        os.close(console)


def _scope(logout: Logout) -> tuple[str, ...]:
    return SCOPE_COMMAND if logout.fate == "scope" and shutil.which(SCOPE_COMMAND[0]) else ()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
