"""Who runs a run, told to other hosts and to file systems without locks."""

import os
import socket
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import orjson
import psutil

from trainer.run.layout import RunLayout
from trainer.run.regular import read_small

FRESH_SECONDS = 60.0  # a heartbeat younger than this is a sign of life


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The supervisor of a run and its last heartbeat."""

    host: str
    boot_id: str
    pid: int
    pid_start_ticks: int  # clock ticks after boot; a process id is used again, this is not
    attempt: int
    heartbeat_boot_seconds: float  # boot-time clock: never set, runs on in sleep
    heartbeat_unix_seconds: float
    started_unix_seconds: float = 0.0


def this_process(attempt: int) -> Owner:
    """Return this process as the owner of an attempt, its heart beating now."""
    now = time.time()
    return Owner(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        pid_start_ticks=start_ticks(os.getpid()) or 0,
        attempt=attempt,
        heartbeat_boot_seconds=boot_seconds(),
        heartbeat_unix_seconds=now,
        started_unix_seconds=now,
    )


def beat(owner: Owner) -> Owner:
    """Return the owner with a heartbeat of now."""
    return replace(owner, heartbeat_boot_seconds=boot_seconds(), heartbeat_unix_seconds=time.time())


def write_owner(layout: RunLayout, owner: Owner) -> None:
    """Put the owner into the run directory; a reader sees the old one or the new one, whole."""
    temporary = layout.owner.with_name(f"{layout.owner.name}.tmp-{os.getpid()}")
    try:
        temporary.touch(mode=0o600)
        temporary.write_bytes(orjson.dumps(owner, option=orjson.OPT_APPEND_NEWLINE))
        temporary.replace(layout.owner)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_owner(layout: RunLayout) -> Owner | None:
    """Return the last owner, or None when there never was one or the file is damaged."""
    try:
        return _decode(orjson.loads(read_small(layout.owner)))
    except (FileNotFoundError, ValueError):
        return None


def _decode(given: Any) -> Owner:
    """Return the owner of the parsed file; by hand, because pydantic takes 0.2 s to import."""
    if not isinstance(given, dict):
        raise ValueError("an owner is an object")
    known = cast(dict[str, Any], given)
    values = {it.name: known[it.name] for it in fields(Owner) if it.name in known}
    for name, value in values.items():
        expected = str if name in ("host", "boot_id") else (int, float)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise ValueError(f"{name} of an owner cannot be {value!r}")
    try:
        return Owner(**values)
    except TypeError as error:  # a field is missing
        raise ValueError(str(error)) from error


def remove_owner(layout: RunLayout) -> None:
    """Say at once that nobody runs it any more, so that another host need not wait."""
    layout.owner.unlink(missing_ok=True)


def is_local(owner: Owner) -> bool:
    """Return whether the owner's process id means something here."""
    return owner.boot_id == boot_id() and owner.host == socket.gethostname()


def owner_is_alive(owner: Owner) -> bool | None:
    """Return whether the owner lives: its process here, else its heartbeat; None: cannot tell."""
    if is_local(owner):
        return _process_is_alive(owner)
    return heartbeat_age_seconds(owner) < FRESH_SECONDS


def heartbeat_age_seconds(owner: Owner) -> float:
    """Return how long ago the heart beat; negative when the other host's clock is ahead."""
    if owner.boot_id == boot_id():
        return boot_seconds() - owner.heartbeat_boot_seconds
    return time.time() - owner.heartbeat_unix_seconds


def _process_is_alive(owner: Owner) -> bool | None:
    if not psutil.pid_exists(owner.pid):
        return False
    ticks = start_ticks(owner.pid)
    return None if ticks is None else ticks == owner.pid_start_ticks


def boot_id() -> str:
    """Return what names this boot of this kernel; the boot time where Linux does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"booted-{psutil.boot_time():.0f}"


def boot_seconds() -> float:
    """Return the seconds since boot, sleep included, which no clock setting moves."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def start_ticks(pid: int) -> int | None:
    """Return when a process started in clock ticks; None when it is gone, dead or hidden."""
    try:
        # The command's name, in parentheses, may hold anything; the fields after it do not.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return _psutil_start_ticks(pid)
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _psutil_start_ticks(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).create_time() * os.sysconf("SC_CLK_TCK"))
    except psutil.Error:
        return None
