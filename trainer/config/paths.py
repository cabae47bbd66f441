"""Make the paths of a configuration absolute and report those that lead nowhere."""

import os
import re
from pathlib import Path
from typing import cast

from trainer.config.documents import Key, Origin, Setting, Settings
from trainer.config.errors import ModelMissing
from trainer.config.options import options

MODEL: Key = ("model", "path")
ADAPTER: Key = ("model", "adapter")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def absolute(text: str, folder: Path) -> str:
    """Return a path as stated in `folder`, absolute, with `~` expanded and `..` taken out."""
    path = Path(text)
    try:
        path = path.expanduser()
    except (RuntimeError, ValueError):
        path = Path(text)
    return os.path.normpath(folder / path)


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for names that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; False for names that no folder can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def with_absolute_paths(settings: Settings) -> Settings:
    """Return the settings with every path absolute; a hub id stays what it is."""
    return {
        key: Setting(_resolved(key, setting.value, setting.origin.folder), setting.origin)
        for key, setting in settings.items()
    }


def _resolved(key: Key, value: object, folder: Path) -> object:
    kind = options()[".".join(key)].kind
    if kind == "files" and isinstance(value, list):
        entries = cast("list[object]", value)
        return [absolute(entry, folder) if isinstance(entry, str) else entry for entry in entries]
    if not isinstance(value, str):
        return value
    if key == MODEL:
        return _model_path(value, folder)
    return absolute(value, folder) if kind in ("files", "folder") else value


def _model_path(text: str, folder: Path) -> str:
    """Return the absolute path of a folder, or the text itself where it is a hub id."""
    path = absolute(text, folder)
    return text if HUB_ID.fullmatch(text) and not is_folder(Path(path)) else path


def missing_files(settings: Settings) -> list[str]:
    """Return a problem for every data file and adapter that is not there."""
    problems: list[str] = []
    for key, setting in settings.items():
        if options()[".".join(key)].kind == "files":
            problems += _missing_data(key, setting)
    adapter = settings.get(ADAPTER)
    if adapter and isinstance(adapter.value, str):
        problems += _missing_adapter(adapter.value, adapter.origin)
    return problems


def _missing_data(key: Key, setting: Setting) -> list[str]:
    value = setting.value
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return [
        setting.origin.problem(key, f"no such file {entry}; correct the path")
        for entry in entries
        if isinstance(entry, str) and not is_file(Path(entry))
    ]


def _missing_adapter(path: str, origin: Origin) -> list[str]:
    if is_file(Path(path) / "adapter_config.json"):
        return []
    what = f"no adapter_config.json in {path}"
    remedy = "point to a folder that has one, such as runs/NAME/final/adapter"
    return [origin.problem(ADAPTER, f"{what}; {remedy}")]


def check_model(setting: Setting) -> None:
    """Raise ModelMissing where a local model folder is absent or holds no checkpoint."""
    path = Path(str(setting.value))
    if not path.is_absolute() or is_file(path / "config.json"):
        return
    if is_folder(path):
        what = f"no config.json in {path}; point to the folder of a checkpoint"
    else:
        what = (
            f"no such folder {path}; correct the path or give a hub id "
            "such as Qwen/Qwen3-VL-2B-Instruct"
        )
    raise ModelMissing(setting.origin.problem(MODEL, what))
