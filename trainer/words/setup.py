"""What is trained and how, in a few words, from a run's configuration as plain data."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, cast

from trainer.run.text import sanitise

NAME_CHARACTERS = 60
_STORED = {"nf4": "NF4", "int8": "INT8"}
_OPTIMIZERS = {
    "adamw": "AdamW",
    "adamw_8bit": "8-bit AdamW",
    "adamw_32bit": "32-bit AdamW",
    "paged_adamw_8bit": "paged 8-bit AdamW",
    "paged_adamw_32bit": "paged 32-bit AdamW",
}


def model_name(config: Mapping[str, Any]) -> str:
    """Return the last part of the model's path or hub id; empty where it is not known."""
    path = str(_section(config, "model").get("path") or "")
    return sanitise(PurePosixPath(path).name, NAME_CHARACTERS)


def method_words(config: Mapping[str, Any]) -> list[str]:
    """Return words such as `LoRA r16`, `NF4` and `8-bit AdamW`; none where it is not known."""
    model, optimizer = _section(config, "model"), _section(config, "optimizer")
    stored, name = str(model.get("quantization")), str(optimizer.get("name"))
    words = [
        *_tuned_words(_section(config, "tune")),
        _STORED.get(stored, str(model.get("dtype", ""))),
        _OPTIMIZERS.get(name, str(optimizer.get("name", ""))),
    ]
    return [sanitise(word, NAME_CHARACTERS) for word in words if word]


def _tuned_words(tune: Mapping[str, Any]) -> list[str]:
    parts = ("vision", "aligner", "language")
    lora, full = ([it for it in parts if tune.get(it) == mode] for mode in ("lora", "full"))
    words: list[str] = []
    if lora:
        where = "" if lora == ["language"] else f" of {' and '.join(lora)}"
        words.append(f"LoRA r{tune.get('rank', '?')}{where}")
    if full:
        words.append("full" if len(full) == len(parts) else f"full {' and '.join(full)}")
    return words


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section: object = config.get(name)
    return cast("Mapping[str, Any]", section) if isinstance(section, Mapping) else {}
