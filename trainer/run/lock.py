"""The lock that lets only one attempt of a run live at a time."""

import contextlib
import fcntl
import hashlib
import os
import stat
import time
from datetime import datetime
from pathlib import Path
from typing import Self

from trainer.run.layout import RunLayout
from trainer.run.owner import Owner, is_local, owner_is_alive, read_owner

# Not the temporary folder of the session: every process of this user must find the same file.
_BASE = Path("/tmp")
_RETRY_SECONDS = 0.02


class RunIsHeld(RuntimeError):
    """Somebody runs this run already."""


class RunLock:
    """A held lock. It is released when every process that shares its descriptor has let go."""

    def __init__(self, descriptor: int) -> None:
        """Take over an open descriptor that holds the lock."""
        self.fd = descriptor

    def touch(self) -> None:
        """Keep cleaners of temporary folders from taking the file for forgotten."""
        os.utime(self.fd)

    def release(self) -> None:
        """Let go of this process's share; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)  # never LOCK_UN: it would take the lock from the other processes
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire_run_lock(run_root: Path, timeout_seconds: float = 1.0) -> RunLock:
    """Return the lock of the run in `run_root`.

    Raises:
        RunIsHeld: Another process holds it, here or on a host whose heartbeat is fresh.
        OSError: The folder of locks cannot be used.

    """
    path = _lock_path(run_root)
    _make_private(path.parent.parent)
    _make_private(path.parent)
    deadline = time.monotonic() + timeout_seconds
    while True:
        held_by = read_owner(RunLayout(run_root))
        lock = _try_lock(path)
        if lock and not _lives_elsewhere(held_by):
            return lock
        if lock:
            lock.release()
        if time.monotonic() >= deadline:
            raise RunIsHeld(_refusal(run_root, held_by, _noted_holder(path)))
        time.sleep(_RETRY_SECONDS)


def adopt_run_lock(fd: int) -> RunLock:
    """Return the lock that a parent process handed down as descriptor `fd`.

    Processes started from here do not inherit it unless it is passed on again.

    Raises:
        RunIsHeld: The descriptor does not hold the lock, and somebody else does.
        OSError: There is no such descriptor.

    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # granted at once to its holder
    except BlockingIOError:
        raise RunIsHeld(f"descriptor {fd} does not hold the lock of a run") from None
    os.set_inheritable(fd, False)
    _note_holder(fd)
    return RunLock(fd)


def is_locked(run_root: Path) -> bool:
    """Return whether a process on this host holds the run, without disturbing it."""
    try:
        descriptor = os.open(_lock_path(run_root), os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_path(run_root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(run_root))).hexdigest()
    return _BASE / f"qvl-{os.getuid()}" / "locks" / f"{name}.lock"


def _make_private(folder: Path) -> None:
    """Make a folder that is this user's alone, or refuse the one that is there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not ours or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(
            f"{folder}: not a private folder of this user; remove it or chmod it to 0700"
        )


def _try_lock(path: Path) -> RunLock | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if _is_still_at(path, descriptor):
        _note_holder(descriptor)
        return RunLock(descriptor)
    os.close(descriptor)
    return None


def _note_holder(descriptor: int) -> None:
    """Leave this process's id in the lock file, for those who are refused; no room does no harm."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


def _noted_holder(path: Path) -> int | None:
    """Return the process that took or was given the lock last, if it still runs."""
    try:
        noted = int(path.read_bytes())
    except (OSError, ValueError):
        return None
    return noted if Path(f"/proc/{noted}").exists() else None


def _is_still_at(path: Path, descriptor: int) -> bool:
    """Return whether the locked file is the one at `path`: a cleaner may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lives_elsewhere(owner: Owner | None) -> bool:
    if owner is None or (is_local(owner) and owner.pid == os.getpid()):
        return False
    return owner_is_alive(owner) is True


def _refusal(run_root: Path, owner: Owner | None, holder: int | None) -> str:
    if owner is None or owner_is_alive(owner) is False:
        who = f"process {holder}" if holder else "another process"
        return (
            f"{run_root}: the run is held by {who}, which begins or ends without a supervisor; "
            "wait, or look at it"
        )
    remedy = "stop it first" if is_local(owner) else "stop it there, or wait a minute if it is gone"
    return (
        f"{run_root}: the run is held by process {owner.pid} on {owner.host} "
        f"since {_local_time(owner.started_unix_seconds)}; {remedy}"
    )


def _local_time(unix_seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(unix_seconds).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
