"""A terminal that keeps what is written to it, and tells what no terminal should be sent."""

import re
from typing import Any

from textual.drivers.headless_driver import HeadlessDriver

# What textual itself writes: colours, cursor positions, line ends, beginnings and ends of a frame,
# and, each in a write of its own, the bell, the shape of the mouse pointer and what was copied.
OURS = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\[\d+;\d+H|\x1b\[\?2026[hl]|\n"
    r"|\A\x07\Z|\A\x1b\](?:22;[a-z-]+|52;c;[A-Za-z0-9+/=]*)\x07\Z"
)
UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)


class Terminal(HeadlessDriver):
    """Stands where the real terminal stands, so all that would reach one is here."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._written: list[str] = []

    @property
    def is_headless(self) -> bool:
        """Whether nothing is written: all is."""
        return False

    def write(self, data: str) -> None:
        """Keep what is written."""
        self._written.append(data)

    def set_size(self, columns: int, rows: int) -> None:
        """Be of another size from now on."""
        self._size = columns, rows

    def taken(self) -> list[str]:
        """Return what was written since the last call, write by write."""
        written, self._written = self._written, []
        return written


def unfit_in(written: list[str]) -> list[str]:
    """Return every place where more than text was written, with what stands around it."""
    return [
        data[max(found.start() - 40, 0) : found.end() + 40]
        for data in (OURS.sub("", each) for each in written)
        for found in UNFIT.finditer(data)
    ]
