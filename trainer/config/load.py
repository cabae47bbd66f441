"""Turn a file, what it extends and `key.path=value` arguments into a RunConfig, and back."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trainer.config.complaints import complaints
from trainer.config.documents import Origin, Setting, Settings
from trainer.config.errors import ConfigError, ModelMissing
from trainer.config.layers import (
    NAME,
    find_source,
    known_settings,
    preset_names,
    read_layers,
    read_overrides,
)
from trainer.config.paths import MODEL, check_model, missing_files, with_absolute_paths
from trainer.config.schema import RunConfig
from trainer.config.variants import VARIANT_DEFAULTS, detect_variant

__all__ = ["ConfigError", "ModelMissing", "dump_config", "load_config", "preset_names"]

VARIANT = ("model", "variant")


def load_config(
    source: str | Path, overrides: Sequence[str] = (), *, files_must_exist: bool = True
) -> RunConfig:
    """Return the complete configuration of a run: paths absolute, name and variant settled.

    `source` is a file or a shipped preset's name; later layers win: variant defaults, extended
    files, the file, `overrides` (`key.path=value`). Raises ConfigError with every problem at once
    and, where nothing else is wrong, ModelMissing. With `files_must_exist` off, data, adapter and
    model may be elsewhere: for looking at a run, not for starting one.
    """
    path = find_source(source)
    file = Origin(str(source), path.parent)
    problems: list[str] = []
    settings, complete = read_layers(path, problems)
    settings |= read_overrides(overrides, problems)
    settings = with_absolute_paths(known_settings(settings, problems))
    settings.setdefault(NAME, Setting(name_of_file(path), file))
    damaged = _settle_variant(settings)
    config = _validated(settings, file, problems, complete=complete)
    if files_must_exist:
        problems += missing_files(settings)
    if problems or config is None:
        raise ConfigError(problems)
    if files_must_exist:
        check_model(settings[MODEL])
        if damaged:
            raise damaged
    return config


def dump_config(config: RunConfig) -> str:
    """Return a configuration as complete YAML; loading it gives an equal configuration."""
    values = config.model_dump(mode="json")
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=2**20)


def name_of_file(path: Path) -> str | None:
    """Return a run's name made of its configuration's file name, None where nothing is left."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("._-")
    return name[:100] or None


def _settle_variant(settings: Settings) -> ModelMissing | None:
    """Replace variant `auto` by the model's own and add that variant's defaults underneath.

    Returns what is wrong with the model's files where they do not tell.
    """
    model, variant = settings.get(MODEL), settings.get(VARIANT)
    damaged = None
    stated = variant.value if variant else "auto"
    if stated == "auto" and model and isinstance(model.value, str):
        try:
            stated = detect_variant(model.value)
        except ModelMissing as error:
            damaged = error
    origin = Origin(f"default of {stated} models", Path("/"))
    settings[VARIANT] = Setting(stated, variant.origin if variant else origin)
    if stated in ("instruct", "thinking", "base"):
        for key, value in VARIANT_DEFAULTS[stated].items():
            settings.setdefault(tuple(key.split(".")), Setting(value, origin))
    return damaged


def _validated(
    settings: Settings, file: Origin, problems: list[str], *, complete: bool
) -> RunConfig | None:
    """Return the configuration, or None after adding the problems.

    What is missing is not reported when a file that might state it could not be read.
    """
    nested: dict[str, Any] = {"model": {}, "data": {}}
    for key, setting in settings.items():
        place = nested
        for part in key[:-1]:
            place = place.setdefault(part, {})
        place[key[-1]] = setting.value
    try:
        return RunConfig.model_validate(nested)
    except ValidationError as error:
        problems += complaints(error, settings, file, with_missing=complete)
        return None
