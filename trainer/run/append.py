"""Append lines to files of a run so that no reader ever meets a half-written one for long."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from trainer.run import durable
from trainer.run.codec import encode
from trainer.run.events import AnyEvent

EventType = TypeVar("EventType", bound=AnyEvent)

_MODE = 0o600


class EventWriter:
    """The one writer of an event file for one attempt; to be used from one thread."""

    def __init__(self, path: Path, attempt: int) -> None:
        """Open `path` for appending; a torn last line of an earlier attempt is ended.

        Raises:
            OSError: The file cannot be opened, or has no room for the newline.

        """
        self.path = path
        self.attempt = attempt
        self._next_seq = 0
        self._started = time.monotonic()
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        if _ends_torn(self._descriptor):
            _write_whole(self._descriptor, b"\n", path)

    def write(self, event: EventType) -> EventType:
        """Append the event as one line and return it with seq, time, elapsed and attempt filled in.

        Raises:
            OSError: The line could not be written whole; nothing of it is left in the file.

        """
        stamped = self._stamped(event)
        _write_whole(self._descriptor, encode(stamped), self.path)
        self._next_seq += 1
        return stamped

    def _stamped(self, event: EventType) -> EventType:
        return replace(
            event,
            seq=self._next_seq,
            time=time.time(),
            elapsed=time.monotonic() - self._started,
            attempt=self.attempt,
        )

    def begin_anew(self, older: Path, event: AnyEvent, copies: bytes) -> None:
        """Move the file to `older` and go on in one that begins with an event and lines copied.

        There is a whole file under its name at any moment.

        Raises:
            OSError: The file is as it was.

        """
        if not (older.exists() and older.samefile(self.path)):  # as a crash right here leaves it
            older.unlink(missing_ok=True)
            os.link(self.path, older)
        durable.replace_file(self.path, encode(self._stamped(event)) + copies)
        self._next_seq += 1
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND, _MODE)
        os.close(self._descriptor)
        self._descriptor = descriptor

    def sync(self) -> None:
        """Return once everything written is on the disk; raises OSError when it may not be."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def append_line(path: Path, line: bytes) -> None:
    """Append one line to a file that several processes append to.

    A torn tail left by another process is ended first. Nothing is ever truncated, because
    somebody else's line may follow at any moment.

    Raises:
        OSError: The line could not be written whole; the next append ends what is there of it.

    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
    try:
        data = line.removesuffix(b"\n") + b"\n"
        if _ends_torn(descriptor):
            data = b"\n" + data
        if os.write(descriptor, data) < len(data):
            raise _disk_full(path)
    finally:
        os.close(descriptor)


def _ends_torn(descriptor: int) -> bool:
    """Return whether the file's last line lacks its newline."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _write_whole(descriptor: int, data: bytes, path: Path) -> None:
    """Write `data` with one call, or leave the file as it was and raise OSError."""
    size_before = os.fstat(descriptor).st_size
    if os.write(descriptor, data) == len(data):
        return
    os.ftruncate(descriptor, size_before)
    raise _disk_full(path)


def _disk_full(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "no room for the whole line; free some space", str(path))
