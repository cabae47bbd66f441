"""How many visual tokens an image becomes, from nothing but its width and height."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.config.schema import DataConfig

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, kw_only=True)
class PictureRule:
    """How a checkpoint's image processor resizes; the defaults are Qwen3-VL's."""

    patch: int = 16  # pixels along an edge
    merge: int = 2  # patches along the edge of one visual token
    min_pixels: int = 65_536
    max_pixels: int = 16_777_216

    def visual_tokens(self, width: int, height: int) -> int:
        """Return the visual tokens of an image."""
        return self.patches(width, height) // self.merge**2

    def patches(self, width: int, height: int) -> int:
        """Return the patches of an image."""
        tall, wide = self.resized(width, height)
        return (tall // self.patch) * (wide // self.patch)

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return height and width after resizing, as transformers' `smart_resize` of Qwen2-VL."""
        factor = self.patch * self.merge
        tall, wide = round(height / factor) * factor, round(width / factor) * factor
        if tall * wide > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels)
            tall = max(factor, math.floor(height / shrink / factor) * factor)
            wide = max(factor, math.floor(width / shrink / factor) * factor)
        elif tall * wide < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (height * width))
            tall = math.ceil(height * grow / factor) * factor
            wide = math.ceil(width * grow / factor) * factor
        return tall, wide


def picture_rule(folder: Path | None, data: DataConfig) -> PictureRule:
    """Return the rule of a checkpoint with the run's pixel limits; without one Qwen3-VL's."""
    settings = _processor_settings(folder) if folder else {}
    size = settings.get("size") or {}
    default = PictureRule()
    return PictureRule(
        patch=_whole(settings.get("patch_size")) or default.patch,
        merge=_whole(settings.get("merge_size")) or default.merge,
        min_pixels=data.min_pixels
        or _whole(size.get("shortest_edge"))
        or _whole(settings.get("min_pixels"))
        or default.min_pixels,
        max_pixels=data.max_pixels
        or _whole(size.get("longest_edge"))
        or _whole(settings.get("max_pixels"))
        or default.max_pixels,
    )


def _processor_settings(folder: Path) -> dict[str, Any]:
    for name in PROCESSOR_FILES:
        settings = read_json_object(folder / name)
        settings = settings.get("image_processor", settings)
        if "patch_size" in settings:
            return settings
    return {}


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
