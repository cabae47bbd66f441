"""Append events, and keep them in memory while the disk has no room."""

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trainer.run.append import EventWriter
from trainer.run.events import AnyEvent, MonitorMoved
from trainer.supervisor.carrying import carried_lines

EventType = TypeVar("EventType", bound=AnyEvent)
Report = Callable[[str], None]


class Journal:
    """An event file that outlives a full disk; what cannot be written now is written later."""

    def __init__(
        self,
        path: Path,
        attempt: int,
        report: Report,
        *,
        kept_events: int = 10_000,
        rotate_bytes: int | None = None,
    ) -> None:
        """Keep at most `kept_events` that wait; the file moves to `.1` past `rotate_bytes`."""
        self._path = path
        self._attempt = attempt
        self._report = report
        self._waiting: deque[AnyEvent] = deque(maxlen=kept_events)
        self._rotate_bytes = rotate_bytes
        self._writer: EventWriter | None = None
        self._failing = False

    def write(self, event: EventType) -> EventType:
        """Append an event and return it as written, or as it will be while it has to wait."""
        if self.flush():
            with contextlib.suppress(OSError):
                return self._append(event)
        self._waiting.append(event)
        self._note_failure(f"no room to write {event.type}; it is written as soon as there is")
        return replace(event, attempt=self._attempt, time=time.time())

    def flush(self) -> bool:
        """Append what waits; return whether nothing is left."""
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()
        except OSError:
            return False
        if self._failing:
            self._failing = False
            self._report(f"{self._path.name} can be written again")
        return True

    def move_aside(self, older: Path, limit_bytes: int) -> bool:
        """Move a file past the limit to `older` and carry over what readers still need.

        Returns whether that was done. `seq` and `elapsed` go on as before.

        Raises:
            OSError: There is no room for it; the file is as it was.

        """
        if self._writer is None or self._waiting or _size(self._path) <= limit_bytes:
            return False
        lines = carried_lines(self._path.read_bytes().split(b"\n"), limit_bytes // 2)
        moved = MonitorMoved(file=older.name, copies=len(lines))
        self._writer.begin_anew(older, moved, b"".join(line + b"\n" for line in lines))
        return True

    def _append(self, event: EventType) -> EventType:
        if self._writer and self._rotate_bytes and _size(self._path) > self._rotate_bytes:
            self._close_writer()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._writer = self._writer or EventWriter(self._path, self._attempt)
        return self._writer.write(event)

    def _close_writer(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None

    def _note_failure(self, text: str) -> None:
        if not self._failing:
            self._failing = True
            self._report(f"{self._path}: {text}")

    def close(self, patience_seconds: float = 0.0) -> None:
        """Close the file, after trying for a while to write what still waits."""
        deadline = time.monotonic() + patience_seconds
        while not self.flush() and time.monotonic() < deadline:
            time.sleep(0.2)
        self._close_writer()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
