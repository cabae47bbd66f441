"""Find the lines of a file and hash its content in one pass."""

import hashlib
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO

import numpy as np

BLOCK_BYTES = 2**20
NEWLINE = 10
BLANK_BYTES = b" \t\r\n"
UTF8_BOM = b"\xef\xbb\xbf"

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True)
class Scan:
    """What one pass over a file found."""

    size_bytes: int
    first: int  # where the text begins: 3 after a byte order mark, else 0
    newlines: np.ndarray  # int64, offsets of all line ends
    blank_lines: np.ndarray  # int64, numbers of the lines without a record, counted from 0
    sha256: str


def scan_file(file: FileIO, size_bytes: int, progress: Progress | None = None) -> Scan:
    """Return where the lines of an open, unbuffered file end, and the hash of its content.

    A second thread hashes one block while this one searches the next. Nothing but the offsets is
    kept: a file of any size costs eight bytes a line.
    """
    finder = _LineFinder()
    digest = hashlib.sha256()
    # Two blocks may be in the hashing thread's hands while a third is filled.
    free = deque(bytearray(BLOCK_BYTES) for _ in range(3))
    hashing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as hasher:
        while count := file.readinto(block := free.popleft()):
            view = memoryview(block)[:count]
            hashing.append(hasher.submit(digest.update, view))
            finder.feed(view)
            free.append(block)
            if len(hashing) == len(free):
                hashing.popleft().result()
            if progress:
                progress(finder.position, size_bytes)
    return finder.finish(digest.hexdigest())


class _LineFinder:
    """Collects line ends, and which lines hold nothing, block by block."""

    def __init__(self) -> None:
        self.position = 0
        self.first = 0
        self._newlines = array("q")
        self._blank_lines = array("q")
        self._open_line_is_blank = True
        self._mask = np.empty(BLOCK_BYTES, dtype=bool)

    def feed(self, block: memoryview) -> None:
        """Take the next block of the file."""
        skip = 0
        if self.position == 0 and block[:3] == UTF8_BOM:
            self.first = skip = len(UTF8_BOM)
        mask = np.equal(np.frombuffer(block, dtype=np.uint8), NEWLINE, out=self._mask[: len(block)])
        ends = np.flatnonzero(mask)
        self._note_blank_lines(block, ends, skip)
        self._newlines.frombytes((ends + self.position).astype(np.int64).tobytes())
        self.position += len(block)

    def _note_blank_lines(self, block: memoryview, ends: np.ndarray, skip: int) -> None:
        starts = np.concatenate(([skip], ends + 1))  # the last one opens a line that goes on
        blank = starts[:-1] == ends
        if len(ends):
            blank[0] = self._open_line_is_blank and _is_blank(block[skip : ends[0]])
        for line in _begins_blank(block, starts[1:-1], ends[1:]) + 1:
            blank[line] = _is_blank(block[starts[line] : ends[line]])
        self._blank_lines.frombytes((np.flatnonzero(blank) + len(self._newlines)).tobytes())
        rest_is_blank = _is_blank(block[starts[-1] :])
        self._open_line_is_blank = rest_is_blank and (len(ends) > 0 or self._open_line_is_blank)

    def finish(self, sha256: str) -> Scan:
        """Return everything found; text after the last line end is a line too."""
        if self._open_line_is_blank:
            self._blank_lines.append(len(self._newlines))
        return Scan(
            size_bytes=self.position,
            first=self.first,
            newlines=np.frombuffer(self._newlines, dtype=np.int64),
            blank_lines=np.frombuffer(self._blank_lines, dtype=np.int64),
            sha256=sha256,
        )


def _begins_blank(block: memoryview, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which lines begin with white space but go on (only those are looked at one by one)."""
    firsts = np.frombuffer(block, dtype=np.uint8)[starts]
    white = np.isin(firsts, np.frombuffer(BLANK_BYTES, dtype=np.uint8))
    return np.flatnonzero(white & (starts != ends))


def _is_blank(text: memoryview) -> bool:
    """Whether the text is white space; looks at a copy of its head before copying it all."""
    return not bytes(text[:64]).strip(BLANK_BYTES) and not bytes(text).strip(BLANK_BYTES)
