"""Put a run where it is no longer a run but can be brought back."""

import time
from pathlib import Path

from trainer.run import durable
from trainer.run.layout import RunLayout
from trainer.run.lock import acquire_run_lock

TRASH_NAME = ".trash"


def trash_run(layout: RunLayout) -> Path:
    """Move a run that nobody holds to the folder of deleted runs beside it; return where it is.

    Raises:
        RunIsHeld: It lives.
        OSError: It could not be moved; it is where it was.

    """
    with acquire_run_lock(layout.root):
        trash = layout.root.parent / TRASH_NAME
        trash.mkdir(exist_ok=True)
        target = _free_name(trash, layout.name)
        durable.rename(layout.root, target)
    return target


def _free_name(trash: Path, name: str) -> Path:
    seconds = int(time.time())
    while (target := trash / f"{name}-{seconds}").exists():
        seconds += 1
    return target
