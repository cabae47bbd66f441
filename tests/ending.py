"""End processes that a failed test has left running."""

from contextlib import suppress
from pathlib import Path

import psutil


def end_all_on(run: Path) -> None:
    """Kill every process that has a run directory among its arguments.

    By name, for the number of a process that has ended belongs to another after a while.
    """
    for process in psutil.process_iter(["cmdline"]):
        if str(run) in (process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
