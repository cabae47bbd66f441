"""How large augmentation can make a picture, from nothing but its size and the options."""

# I images

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from trainer.config.augmentation import (
    AugmentationConfig,
    Expand,
    Operation,
    Own,
    Pad,
    Resize,
    Rotate,
    Shear,
)

ANGLES = 91  # that are tried between the least and the most


def largest_sizes(sizes: np.ndarray, options: AugmentationConfig) -> np.ndarray:
    """Return width and height that canvases will not exceed, float64 (I, 2), of sizes (I, 2).

    An operation may be left out, so none makes a picture smaller here. What functions of one's own
    do is not known.
    """
    largest = sizes.astype(np.float64)
    for operation in options.ops:
        grow = _GROWING.get(type(operation))
        if grow is None or operation.prob == 0:
            continue
        grown = np.maximum(largest, np.ceil(grow(operation, largest)))
        largest = _within(grown, largest, options.max_pixels)
    return largest


def is_known(options: AugmentationConfig) -> bool:
    """Whether all that is done is known, and no function of one's own is among it."""
    return not any(isinstance(it, Own) for it in options.ops)


def _within(grown: np.ndarray, before: np.ndarray, max_pixels: int) -> np.ndarray:
    """Canvases shrunk to the limit, as `Step.within` does, but never below what was there."""
    pixels = grown.prod(axis=1)
    allowed = np.maximum(max_pixels, before.prod(axis=1))
    shrink = np.where(pixels > allowed, np.sqrt(max_pixels / np.maximum(pixels, 1)), 1.0)
    return np.maximum(grown * shrink[:, None], before)


def _by_factor(operation: Resize | Expand, sizes: np.ndarray) -> np.ndarray:
    return sizes * operation.factor[1]


def _to_multiple(operation: Pad, sizes: np.ndarray) -> np.ndarray:
    return np.ceil(sizes / operation.multiple) * operation.multiple


def _turned(operation: Rotate, sizes: np.ndarray) -> np.ndarray:
    if not operation.grow:
        return sizes
    angles = np.radians(np.linspace(*operation.degrees, ANGLES))
    cosine, sine = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    width, height = sizes[:, :1], sizes[:, 1:]
    across, down = width * cosine + height * sine, width * sine + height * cosine
    return np.stack((across.max(axis=1), down.max(axis=1)), axis=1)


def _slanted(operation: Shear, sizes: np.ndarray) -> np.ndarray:
    if not operation.grow:
        return sizes
    x, y = (
        math.tan(math.radians(max(map(abs, degrees))))
        for degrees in (operation.x_degrees, operation.y_degrees)
    )
    width, height = sizes[:, 0], sizes[:, 1]
    return np.stack((width + x * height, (1 + x * y) * height + y * width), axis=1)


_GROWING: dict[type[Operation], Callable[[Any, np.ndarray], np.ndarray]] = {
    Resize: _by_factor,
    Expand: _by_factor,
    Pad: _to_multiple,
    Rotate: _turned,
    Shear: _slanted,
}
