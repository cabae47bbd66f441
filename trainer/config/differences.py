"""Say what a configuration changes: against the defaults, and against an earlier one on resume."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import orjson
from pydantic import BaseModel

from trainer.config.options import options
from trainer.config.schema import RunConfig
from trainer.config.variants import VARIANT_DEFAULTS

SETTLED_BY_LOADING = frozenset({"name", "model.variant"})
HARMLESS_SECTIONS = ("evaluation.", "generation.", "checkpoint.", "supervision.")
HARMLESS_KEYS = frozenset(
    {
        "name",
        "model.cache_dir",
        "model.activation_checkpointing",  # the same operations once more
        "model.recompute_every",
        "model.vision_cache_bytes",
        # A run that refused has met no such record yet, so its steps are those of a run that skips.
        "data.over_long",
        "data.bad_records",
        "data.max_array_bytes",
        "data.workers",
        "data.prefetch_bytes",
        "data.worker_timeout_seconds",
        "data.cache_dir",
        "batch.largest_first",
        "training.max_nonfinite_steps",
        "training.log_with",
        "training.ranks",  # the same samples, summed in another order
        "training.debug",
    }
)
# Values of an option that give the same numbers: the tower runs image by image, kept or not.
EQUAL_VALUES = {"model.vision_cache": {"memory": "auto", "disk": "auto"}}
COMPARED_BY_CONTENT = frozenset({"data.train", "data.validation"})
LENGTH_KEYS = frozenset({"training.epochs", "training.max_steps"})


def flat_values(config: RunConfig) -> dict[str, object]:
    """Return every option's value by its dotted key, in the schema's order, as plain data."""
    return dict(_leaves(config, ""))


def _leaves(section: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in section:
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: object) -> object:
    """Return a list of groups as a file states them; every other value as it is."""
    if not isinstance(value, tuple):
        return value
    entries = cast("tuple[object, ...]", value)
    return tuple(it.model_dump(mode="json") if isinstance(it, BaseModel) else it for it in entries)


def default_values(config: RunConfig) -> dict[str, object]:
    """Return every option's default for a configuration's variant; None for required options."""
    defaults: dict[str, object] = {
        key: _frozen(option.default) for key, option in options().items()
    }
    if config.model.variant != "auto":
        defaults |= VARIANT_DEFAULTS[config.model.variant]
    return defaults


def config_differences(config: RunConfig) -> dict[str, tuple[object, object]]:
    """Return `(default, value)` of every option that is not at its default.

    Name and variant are left out: loading settles them, so they always differ.
    """
    differences = _changes(default_values(config), flat_values(config))
    return {key: pair for key, pair in differences.items() if key not in SETTLED_BY_LOADING}


def changed_options(old: RunConfig, new: RunConfig) -> dict[str, tuple[object, object]]:
    """Return `(old, new)` of every option that two configurations give another value."""
    return _changes(flat_values(old), flat_values(new))


def resume_conflicts(
    old: RunConfig, new: RunConfig, *, proven_equal: Collection[str] = ()
) -> list[str]:
    """Return a message for every change that forbids to resume `old`'s run with `new`.

    Whatever changes the numbers of training is a conflict; an option that is not known to be
    harmless counts as one. `proven_equal` holds keys such as `data.train` whose content the caller
    has compared, so that a new path to the same data is none.
    """
    length_is_free = _length_is_free(old) and _length_is_free(new)
    return [
        f"{key}: {_shown(before)} became {_shown(after)}; "
        "set it back, or start a new run: resumed steps would not be the same"
        for key, (before, after) in changed_options(old, new).items()
        if not _is_harmless(key, length_is_free=length_is_free)
        and key not in proven_equal
        and _meaning(key, before) != _meaning(key, after)
    ]


def decisive_values(config: RunConfig) -> dict[str, Any]:
    """Return the options that decide the numbers of each step, as JSON has them.

    How many steps there are is left out, and the data files, which are compared by content.
    """
    values = {
        key: _meaning(key, value)
        for key, value in flat_values(config).items()
        if not _is_harmless(key, length_is_free=True) and key not in COMPARED_BY_CONTENT
    }
    return _as_json(values)


def decisive_changes(earlier: Mapping[str, Any], config: RunConfig) -> list[str]:
    """Return what is not as it was when `decisive_values` returned `earlier`.

    An option that is missing there did not exist then: at its default it changes nothing.
    """
    defaults = _as_json(default_values(config))
    return [
        f"{key}: {_shown(before)} became {_shown(value)}"
        for key, value in decisive_values(config).items()
        if (before := _meaning(key, earlier.get(key, defaults[key]))) != value
    ]


def _as_json(values: dict[str, object]) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(values))


def _meaning(key: str, value: object) -> object:
    """Return one value for all those of an option that give the same numbers."""
    equal = EQUAL_VALUES.get(key, {})
    return equal.get(value, value) if isinstance(value, str) else value


def _is_harmless(key: str, *, length_is_free: bool) -> bool:
    if key in LENGTH_KEYS:
        return length_is_free
    return key in HARMLESS_KEYS or key.startswith(HARMLESS_SECTIONS)


def _length_is_free(config: RunConfig) -> bool:
    """Whether more or fewer steps leave the learning rate of every step as it was."""
    return config.schedule.name == "constant" and config.schedule.warmup_ratio is None


def _changes(
    before: dict[str, object], after: dict[str, object]
) -> dict[str, tuple[object, object]]:
    return {key: (before[key], value) for key, value in after.items() if before[key] != value}


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(str, cast("tuple[object, ...]", value))) + "]"
    return str(value)


def _frozen(value: object) -> object:
    """Return a JSON list as the tuple that the schema holds."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value
