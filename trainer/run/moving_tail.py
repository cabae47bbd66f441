"""Read the lines of a file that is moved aside when it gets long, each of them once."""

import os
from pathlib import Path
from typing import Any, cast

import orjson

from trainer.run.tail import MAX_READ_BYTES, Tail


class MovingTail(Tail):
    """The lines of a file that may move to another name and go on in a new one.

    What was not read yet is read under the other name. The new file begins with a `monitor_moved`
    line, which says how many of the lines after it are copies of old ones; they are left out.
    Somebody who begins to read later takes the copies for what they are copies of.
    """

    def __init__(self, path: Path, older: Path) -> None:
        """Begin with the first line of `path`; `older` is the name it is moved to."""
        super().__init__(path)
        self._path, self._older = path, older
        self._begins = False  # whether the next line is the first one of a file that goes on
        self._copies = 0  # lines still to be left out

    def read(self, *, max_bytes: int = MAX_READ_BYTES, complete: bool = False) -> list[bytes]:
        """Return the lines since the last call, as `Tail` does."""
        if self._inode is not None and self._is(self._older) and not self._is(self._path):
            self.path = self._older
        moved = self.path == self._older
        lines = super().read(max_bytes=max_bytes, complete=complete or moved)
        if moved and self.at_end:
            self.path = self._path
            self._rewind()
            self._begins, self._copies = True, 0
            self.at_end = False  # of all that there is to read
        elif self.restarted:
            self._begins, self._copies = False, 0
        return lines if moved else self._without_copies(lines)

    def _is(self, path: Path) -> bool:
        """Whether the file that was read last lies under a name now."""
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def _without_copies(self, lines: list[bytes]) -> list[bytes]:
        if not lines:
            return lines
        first = lines[:1] if self._begins else []
        if first:
            self._begins, self._copies = False, _copies_after(first[0])
        rest = lines[len(first) :]
        left_out = min(self._copies, len(rest))
        self._copies -= left_out
        return first + rest[left_out:]


def _copies_after(line: bytes) -> int:
    """Return how many copies follow the first line of a file."""
    try:
        given: Any = orjson.loads(line)
    except ValueError:
        return 0
    if not isinstance(given, dict):
        return 0
    fields = cast(dict[str, Any], given)
    copies = fields.get("copies")
    is_count = fields.get("type") == "monitor_moved" and type(copies) is int
    return max(cast(int, copies), 0) if is_count else 0
