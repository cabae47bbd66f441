"""Where what a person keeps for the screen lies."""

import os
from pathlib import Path


def config_folder() -> Path:
    """Return $XDG_CONFIG_HOME/qvl, ~/.config/qvl without it; a relative one is not heeded."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path("~/.config").expanduser()
    return folder / "qvl"
