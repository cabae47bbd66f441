"""How our own Python processes are started."""

import os
import sys
from pathlib import Path

import trainer


def supervisor_command(root: Path) -> list[str]:
    """Return the command line of the supervisor; the working folder is kept out of sys.path."""
    return [sys.executable, "-P", "-m", "trainer.supervisor", str(root)]


def rank_command(root: Path) -> list[str]:
    """Return the command line of a rank."""
    return [sys.executable, "-P", "-m", "trainer", str(root)]


def python_environment() -> dict[str, str]:
    """Return this environment, with which our packages are found from any working folder."""
    home = Path(trainer.__file__).absolute().parents[1]
    given = [str(Path(it).absolute()) for it in os.environ.get("PYTHONPATH", "").split(":") if it]
    # An installed copy is found anyway, and putting site-packages first would shadow the library.
    paths = given if home.name in ("site-packages", "dist-packages") else [str(home), *given]
    return {**os.environ, "PYTHONPATH": ":".join(dict.fromkeys(paths))}
