"""Show something again and again: in place on a terminal, as blocks of lines elsewhere."""

import os
import shutil
import time
from collections.abc import Callable, Sequence

from trainer.cli.terminal import STDOUT, write_all
from trainer.run.text import sanitise

REPAINT_SECONDS = 1.0
BLOCK_SECONDS = 10.0  # where nothing can be painted over
INTERRUPTED = 130

Look = Callable[[], tuple[Sequence[str], int | None]]  # lines, and the exit code once it is over


def watch(look: Look) -> int:
    """Show what `look` returns until it returns a code, Ctrl-C, or nobody reads any more."""
    in_place = os.isatty(STDOUT)
    shown = 0  # lines on the terminal that the next ones take the place of
    try:
        while True:
            lines, code = look()
            text = _frame(lines, shown) if in_place else _block(lines)
            if not write_all(STDOUT, text.encode()):
                return 0
            if code is not None:
                return code
            shown = min(len(lines), _rows())
            time.sleep(REPAINT_SECONDS if in_place else BLOCK_SECONDS)
    except KeyboardInterrupt:
        return INTERRUPTED


def _frame(lines: Sequence[str], shown: int) -> str:
    """Return what puts lines over the ones shown before; the terminal cuts those too long."""
    up = f"\x1b[{shown}A" if shown else ""
    painted = "".join(f"{sanitise(line, None)}\x1b[K\n" for line in lines[: _rows()])
    return f"\x1b[?7l{up}\r{painted}\x1b[J\x1b[?7h"


def _block(lines: Sequence[str]) -> str:
    return "".join(f"{sanitise(line, None)}\n" for line in lines) + "\n"


def _rows() -> int:
    return max(shutil.get_terminal_size().lines - 1, 1)
