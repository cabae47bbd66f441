"""Read lines as they are appended, in bounded bites, whatever happens to the file."""

import os
from pathlib import Path

from trainer.run.codec import UnknownEventType, decode
from trainer.run.events import AnyEvent
from trainer.run.regular import open_regular

MAX_READ_BYTES = 4 * 2**20
MAX_LINE_BYTES = 64 * 2**20

_HEAD_BYTES = 128  # an event file's first bytes hold a time, so they tell one file from another


class Tail:
    """The lines of a growing file.

    The file is opened anew for every read, so a Tail holds no descriptor. A file that was
    replaced, truncated, or truncated and grown again is read from its start.
    """

    def __init__(self, path: Path, *, start: int = 0, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """Begin at byte `start`, or with the first whole line after it."""
        self.path = path
        self.restarted = False  # whether the last read found another or a shorter file
        self.at_end = True  # whether the last read reached the end of the file
        self.size = 0  # bytes of the file at the last read
        self.long_lines = 0  # lines above the limit, which were left out
        self._max_line_bytes = max_line_bytes
        self._rewind()
        self._offset = max(start - 1, 0)
        self._dropping = start > 0

    def read(self, *, max_bytes: int = MAX_READ_BYTES, complete: bool = False) -> list[bytes]:
        """Return the lines since the last call, without their newlines, from at most `max_bytes`.

        A last line without a newline is kept back until it is whole; with `complete`, when
        nobody writes any more, it is returned as it is. A missing file has no lines.
        """
        chunk = self._read_chunk(max_bytes)
        lines = self._split(chunk)
        if complete and self.at_end and self._torn:
            lines.append(bytes(self._torn))
            self._torn.clear()
        return lines

    @property
    def offset(self) -> int:
        """How many bytes of the file are behind the last read."""
        return self._offset

    def _rewind(self) -> None:
        self._offset = 0
        self._inode: tuple[int, int] | None = None
        self._head = b""
        self._torn = bytearray()  # the beginning of a line whose end is not there yet
        self._dropping = False  # inside a line that is left out

    def _read_chunk(self, max_bytes: int) -> bytes:
        self.restarted = False
        try:
            descriptor = open_regular(self.path)
        except FileNotFoundError:
            self.at_end = True
            return b""
        try:
            return self._read_open(descriptor, max_bytes)
        finally:
            os.close(descriptor)

    def _read_open(self, descriptor: int, max_bytes: int) -> bytes:
        status = os.fstat(descriptor)
        inode = (status.st_dev, status.st_ino)
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        same_file = self._inode in (None, inode) and head.startswith(self._head)
        if not same_file or status.st_size < self._offset:
            self._rewind()
            self.restarted = True
        self._inode, self._head = inode, head
        chunk = os.pread(descriptor, max_bytes, self._offset)
        self._offset += len(chunk)
        self.size = status.st_size
        self.at_end = self._offset >= status.st_size
        return chunk

    def _split(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in `chunk` and keep the rest for the next call."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._torn) + lines[0]
            self._torn.clear()
            if self._dropping:
                del lines[0]
                self._dropping = False
        if not self._dropping:
            self._torn += rest
        if len(self._torn) > self._max_line_bytes:
            self._torn.clear()
            self._dropping = True
            self.long_lines += 1
        if len(max(lines, key=len, default=b"")) <= self._max_line_bytes:
            return lines
        short = [line for line in lines if len(line) <= self._max_line_bytes]
        self.long_lines += len(lines) - len(short)
        return short


class EventTail:
    """The events of a growing file; what is no event is counted and passed over."""

    def __init__(self, path: Path, *, start: int = 0) -> None:
        """Begin with the first whole line at or after byte `start`."""
        self._tail = Tail(path, start=start)
        self._broken = 0
        self.unknown_types = 0  # events of a type this version does not know

    @property
    def broken_lines(self) -> int:
        """How many lines were no events at all."""
        return self._broken + self._tail.long_lines

    @property
    def restarted(self) -> bool:
        """Whether the last read found another or a shorter file and began at its start."""
        return self._tail.restarted

    @property
    def at_end(self) -> bool:
        """Whether the last read reached the end of the file."""
        return self._tail.at_end

    def read(self, *, max_bytes: int = MAX_READ_BYTES, complete: bool = False) -> list[AnyEvent]:
        """Return the events since the last call, from at most `max_bytes` of the file."""
        events: list[AnyEvent] = []
        for line in self._tail.read(max_bytes=max_bytes, complete=complete):
            if not line or line.isspace():
                continue
            try:
                events.append(decode(line))
            except UnknownEventType:
                self.unknown_types += 1
            except ValueError:
                self._broken += 1
        return events
