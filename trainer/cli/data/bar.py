"""A bar on standard error that shows how far a long read is."""

import os
import shutil
import time

from trainer.cli.terminal import STDERR, write_all
from trainer.words.numbers import count

REPAINT_SECONDS = 0.2
WIDTH = 30


class Bar:
    """Repaints one line while it is told how far things are; silent without a terminal."""

    def __init__(self) -> None:
        self._painted = 0.0
        self._shown = os.isatty(STDERR)

    def __call__(self, done: int, total: int | None, records: int) -> None:
        """Show `done` of `total` (None: not known) and the records so far."""
        now = time.monotonic()
        if self._shown and now - self._painted >= REPAINT_SECONDS:
            self._painted = now
            self._paint(_line(done, total, records))

    def close(self) -> None:
        """Take the line away."""
        if self._painted:
            self._paint("")

    def _paint(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns
        write_all(STDERR, f"\r\x1b[K{line[: columns - 1]}".encode())


def _line(done: int, total: int | None, records: int) -> str:
    if not total:
        return f"{count(records)} records"
    share = min(1.0, done / total)
    filled = round(share * WIDTH)
    return f"{'━' * filled}{'╌' * (WIDTH - filled)} {share:4.0%}  {count(records)} records"
