"""Read what the processes of a run print, in bounded bites."""

import os
from dataclasses import dataclass
from pathlib import Path

from trainer.run.regular import open_regular
from trainer.run.text import sanitise

BITE_BYTES = 256 * 2**10  # at most read at a time; of what lies before only the size is told
BITE_LINES = 5_000  # at most shown at a time
LINE_BYTES = 64 * 2**10  # of a line that are looked at
LINE_CHARACTERS = 4_000  # of a line that are shown


@dataclass(frozen=True)
class ConsoleBite:
    """Some lines, fit to be shown."""

    lines: tuple[str, ...]
    unfinished: str  # the last line so far; a progress bar rewrites it until it is done
    skipped_bytes: int  # before `lines`, too many to read
    modified: float  # Unix seconds of the last write


NOTHING = ConsoleBite((), "", 0, 0.0)


class ConsoleReader:
    """Reads a console.log, from its last BITE_BYTES on.

    Unlike the lines of events, a line here may stay unfinished for hours (a progress bar) and is
    shown all the same, so only the newest state of it is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rewind()

    def _rewind(self) -> None:
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._torn = b""
        self._long = False  # whether the unfinished line is past LINE_BYTES

    def read(self) -> ConsoleBite:
        """Return what is new; may be called in a thread.

        Raises:
            OSError: The file is there and cannot be read.

        """
        try:
            descriptor = open_regular(self.path)
        except FileNotFoundError:
            return NOTHING
        try:
            return self._read_open(descriptor)
        finally:
            os.close(descriptor)

    def _read_open(self, descriptor: int) -> ConsoleBite:
        status = os.fstat(descriptor)
        file = (status.st_dev, status.st_ino)
        if self._file not in (None, file) or status.st_size < self._offset:
            self._rewind()
        self._file = file
        skipped = max(status.st_size - self._offset - BITE_BYTES, 0)
        if skipped:
            self._offset += skipped
            self._torn, self._long = b"", False
        chunk = os.pread(descriptor, BITE_BYTES, self._offset)
        self._offset += len(chunk)
        if skipped:
            begun, newline, chunk = chunk.partition(b"\n")
            chunk = chunk if newline else begun
            skipped += len(begun) + 1 if newline else 0
        lines, left_out = self._split(chunk)
        skipped += left_out
        return ConsoleBite(lines, _shown(self._torn), skipped, status.st_mtime)

    def _split(self, chunk: bytes) -> tuple[tuple[str, ...], int]:
        """Return the lines that end in a chunk, and the bytes of those that are too many."""
        *ended, rest = chunk.split(b"\n")
        if ended:
            ended[0] = self._grown(ended[0])
            self._torn, self._long = b"", False
        self._torn = self._grown(rest)
        left_out = sum(len(line) + 1 for line in ended[:-BITE_LINES])
        return tuple(_shown(line) for line in ended[-BITE_LINES:]), left_out

    def _grown(self, more: bytes) -> bytes:
        """Return the unfinished line with more of it: its newest state, the head of a long one."""
        ended = more.endswith(b"\r")
        state, overwritten = _newest_state(more)
        if overwritten or (state and self._torn.endswith(b"\r")):
            self._torn, self._long = b"", False
        if self._long:
            return self._torn
        whole = self._torn + state[: LINE_BYTES + 1]
        self._long = len(whole) > LINE_BYTES
        return whole[:LINE_BYTES] + (b"\r" if ended else b"")


def _newest_state(line: bytes) -> tuple[bytes, bool]:
    """Return what a line shows after its last carriage return, and whether there was one."""
    _, overwritten, state = line.rstrip(b"\r").rpartition(b"\r")
    return state, bool(overwritten)


def _shown(line: bytes) -> str:
    state, _ = _newest_state(line)
    return sanitise(state[:LINE_BYTES].decode(errors="replace"), LINE_CHARACTERS)
