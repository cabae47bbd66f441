"""What a person reads once the screen is gone."""

import os
import time
import traceback
from pathlib import Path

from trainer.run.layout import list_runs
from trainer.run.liveness import holder
from trainer.run.text import sanitise

ERROR_CHARACTERS = 300
NAME_CHARACTERS = 100


def runs_that_go_on(runs: Path) -> str:
    """Return which runs go on without the screen; empty when none lives."""
    try:
        names = [layout.name for layout in list_runs(runs) if holder(layout).held]
    except OSError:  # what cannot be looked at cannot be told of
        return ""
    live = [sanitise(name, NAME_CHARACTERS) for name in names]
    if not live:
        return ""
    verb = "goes" if len(live) == 1 else "go"
    return f"{', '.join(live)} {verb} on; `qvl` shows it again, `qvl stop {live[0]}` stops it"


def fault_of_the_screen(error: BaseException, folder: Path | None = None) -> str:
    """Keep an error's traceback in a file and return what a person should know."""
    said = sanitise(f"{type(error).__name__}: {error}", ERROR_CHARACTERS)
    lines = [f"the screen failed: {said}", "no run is touched by it; `qvl` opens it again"]
    try:
        lines.append(f"please report it with {_keep(error, folder or _cache())}")
    except OSError as failure:
        lines.append(f"its report could not be kept: {failure}; QVL_DEBUG=1 shows it")
    return "\n".join(lines)


def _keep(error: BaseException, folder: Path) -> Path:
    """Write the traceback to a file for this user's eyes only; no values of variables."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"screen-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(traceback.format_exception(error))
    return path


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "qvl"
