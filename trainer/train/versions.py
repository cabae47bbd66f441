"""What this attempt runs with: packages and devices."""

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch

PACKAGES = (
    "qvl",
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "bitsandbytes",
    "safetensors",
    "tokenizers",
    "pillow",
    "numpy",
)


def package_versions() -> dict[str, str]:
    """Return the versions that can change a run's numbers."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def device_names(wanted: Literal["auto", "cpu", "cuda"]) -> tuple[str, ...]:
    """Return the names of the GPUs this process may use; without any, the CPU."""
    gpus = range(0 if wanted == "cpu" else torch.cuda.device_count())
    return tuple(torch.cuda.get_device_name(gpu) for gpu in gpus) or ("CPU",)


def version_changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return `name old -> new` for every version that changed."""
    return [
        f"{name} {before[name]} -> {now[name]}"
        for name in now
        if name in before and before[name] != now[name]
    ]
