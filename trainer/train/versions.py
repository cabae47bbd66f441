"""What this attempt runs with: packages and devices."""

from importlib.metadata import PackageNotFoundError, version

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


def device_names() -> tuple[str, ...]:
    """Return the names of the GPUs this process sees; without any, the CPU."""
    gpus = range(torch.cuda.device_count())
    return tuple(torch.cuda.get_device_name(gpu) for gpu in gpus) or ("CPU",)


def version_changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return `name old -> new` for every version that changed."""
    return [
        f"{name} {before[name]} -> {now[name]}"
        for name in now
        if name in before and before[name] != now[name]
    ]
