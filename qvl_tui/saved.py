"""Configurations that a person has saved under a name."""

import re
from dataclasses import dataclass
from pathlib import Path

from qvl_tui.folders import config_folder
from trainer.config.layers import find_source, preset_names
from trainer.run.durable import replace_file
from trainer.run.text import sanitise

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,79}")
NAME_CHARACTERS = 80
ABOUT_CHARACTERS = 100


@dataclass(frozen=True)
class Source:
    """Something that a new run can start from."""

    name: str  # sanitised, as is what it is about
    about: str
    place: str  # a preset's name, or a file
    shipped: bool


def configurations_folder() -> Path:
    """Return where named configurations lie: $XDG_CONFIG_HOME/qvl/configs, else under ~/.config."""
    return config_folder() / "configs"


def sources() -> list[Source]:
    """Return what a new run can start from: named configurations, then the shipped presets."""
    folder = configurations_folder()
    named = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    mine = [
        Source(sanitise(path.stem, NAME_CHARACTERS), _about(path), str(path), shipped=False)
        for path in named
    ]
    shipped = [
        Source(name, _about(find_source(name)), name, shipped=True) for name in preset_names()
    ]
    return [*mine, *shipped]


def problem_with_name(name: str) -> str | None:
    """Return why a configuration cannot be saved under a name."""
    if not NAME.fullmatch(name):
        return "letters, digits, blanks and . _ - only, a letter or digit first"
    if name in preset_names():
        return f"{name} is a shipped preset; choose another name"
    return None


def save_configuration(name: str, text: str) -> Path:
    """Write a named configuration, also over an earlier one, and return its file."""
    folder = configurations_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    replace_file(path, text.encode())
    return path


def _about(path: Path) -> str:
    """Return the comment that a file begins with, or what it extends."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(1000)
    except OSError as error:
        return sanitise(str(error.strerror), ABOUT_CHARACTERS)
    return sanitise(first.strip().lstrip("# ").rstrip("."), ABOUT_CHARACTERS)
