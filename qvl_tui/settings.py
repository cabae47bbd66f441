"""View settings per user: read at the start, written at every change, never in the way."""

import os
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import orjson

from qvl_tui.folders import config_folder
from trainer.run.regular import open_regular
from trainer.run.text import sanitise

MAX_BYTES = 2**20  # a larger file is none of ours


@dataclass
class Settings:
    """How a person likes to see things; kept over sessions.

    A field of another type than its default's, or of a value that is not allowed, is refused on
    reading and stands at its default.
    """

    theme: str = "qvl-dark"
    pictures: Literal["auto", "half blocks", "off"] = "half blocks"  # auto: the terminal's graphics
    x_axis: str = "step"  # of all charts
    smoothing: float = 0.9  # weight of the past; 0: off
    log_y_charts: list[str] = field(default_factory=list[str])  # their keys
    chart_columns: int = 0  # 0: as many as fit
    chart_filter: str = ""  # which charts are shown; empty: all
    runs_sort: str = "age"
    runs_reverse: bool = False


_RANGES = {"smoothing": (0.0, 1.0), "chart_columns": (0, 8)}


def settings_path() -> Path:
    """Return where settings lie: XDG_CONFIG_HOME/qvl/screen.json, ~/.config without it."""
    return config_folder() / "screen.json"


def load_settings(path: Path | None = None) -> tuple[Settings, str | None]:
    """Return the settings and what a person should be told about the file, if anything.

    A broken file is set aside; wrong values stand at their defaults; keys of other versions are
    passed over, and kept when the settings are saved.
    """
    path = path or settings_path()
    try:
        raw = _read(path)
    except FileNotFoundError:
        return Settings(), None
    except OSError as error:
        return Settings(), f"view settings not read: {path}: {error.strerror or error}"
    except ValueError as error:
        return Settings(), _set_aside(path, str(error))
    return _settings_of(raw, path)


def save_settings(settings: Settings, path: Path | None = None) -> str | None:
    """Write the settings whole or not at all; return why it failed, None when it did not.

    The screen that writes last wins; keys that this version does not know stay.
    """
    path = path or settings_path()
    try:
        others = _read(path)
    except (OSError, ValueError):
        others = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, orjson.dumps(others | asdict(settings), option=orjson.OPT_INDENT_2))
    except (OSError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"view settings not kept: {path}: {reason or error}"
    return None


def _read(path: Path) -> dict[str, Any]:
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES:,} bytes")
    raw = orjson.loads(content)
    if not isinstance(raw, dict):
        raise ValueError("no JSON object")
    return raw


def _replace(path: Path, content: bytes) -> None:
    path = Path(os.path.realpath(path))  # a link to a file kept elsewhere stays one
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".screen-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content + b"\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _set_aside(path: Path, reason: str) -> str:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        return f"{path} is broken ({reason}) and cannot be set aside: {error.strerror or error}"
    return f"view settings were broken ({reason}); set aside as {aside}"


def _settings_of(raw: dict[str, Any], path: Path) -> tuple[Settings, str | None]:
    settings = Settings()
    types = get_type_hints(Settings)
    refused: list[str] = []
    for name in (entry.name for entry in fields(Settings) if entry.name in raw):
        value = float(raw[name]) if _is_whole_float(raw[name], types[name]) else raw[name]
        if _fits(value, types[name]) and _in_range(name, value):
            setattr(settings, name, _as_text(value))
        else:
            refused.append(name)
    if not refused:
        return settings, None
    return settings, f"{path}: wrong value of {', '.join(refused)}; the default is used"


def _as_text(value: Any) -> Any:
    """Return a value fit to be shown, as it may say what is shown."""
    if isinstance(value, list):
        return [_as_text(entry) for entry in cast("list[Any]", value)]
    return sanitise(value, None) if isinstance(value, str) else value


def _is_whole_float(value: object, expected: Any) -> bool:
    return expected is float and isinstance(value, int) and not isinstance(value, bool)


def _fits(value: object, expected: Any) -> bool:
    if isinstance(value, bool) or expected is bool:
        return isinstance(value, bool) and expected is bool
    origin = get_origin(expected)
    if origin is list:
        (inner,) = get_args(expected)
        return isinstance(value, list) and all(_fits(entry, inner) for entry in value)
    if origin is Literal:
        return value in get_args(expected)
    if origin is dict:
        _, inner = get_args(expected)
        return isinstance(value, dict) and all(_fits(entry, inner) for entry in value.values())
    return isinstance(value, expected)


def _in_range(name: str, value: Any) -> bool:
    low, high = _RANGES.get(name, (None, None))
    return low is None or high is None or low <= value <= high
