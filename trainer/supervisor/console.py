"""console.log of a run: what its processes write, and what the supervisor itself says."""

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path


def open_console(path: Path) -> int:
    """Return a descriptor that appends to console.log, or standard error when it cannot be opened.

    A full or read-only disk must not keep a run from being supervised.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.dup(sys.stderr.fileno())


def report(console: int, text: str) -> None:
    """Append a line to the console; on a full disk the line is lost, the supervisor is not."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with contextlib.suppress(OSError):
        os.write(console, f"[supervisor {stamp}] {text}\n".encode(errors="replace"))


def rotate_console(console: int, path: Path, limit_bytes: int) -> bool:
    """Move a console.log that grew past the limit to `.1`; return whether that was done.

    Processes go on writing to the same open file, so its content is copied and then cut off; what
    they write in that very moment is lost.

    Raises:
        OSError: There is no room for the copy; nothing was cut off.

    """
    if os.fstat(console).st_size <= limit_bytes or not path.exists():
        return False
    older = path.with_name(f"{path.name}.1")
    shutil.copyfile(path, older)
    older.chmod(0o600)
    os.truncate(path, 0)
    return True


def last_words(path: Path, start: int, limit_bytes: int = 4096) -> str:
    """Return the last line that is not blank of what was written to console.log after `start`."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - limit_bytes))
            text = file.read(limit_bytes).decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
