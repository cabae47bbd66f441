"""Coloured patches in pictures, and how well shapes fit what is found of them afterwards."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from PIL import Image

from trainer.config.augmentation import AugmentationConfig
from trainer.data.augment.augment import Augmented, augment
from trainer.data.augment.draws import Key
from trainer.data.objects import Shape

BACKGROUND = (0, 0, 160)
PATCH = (255, 0, 0)
LINE_WIDTH = 5
TOLERANCE = 1.5  # px


def options(*ops: Mapping[str, object], **others: object) -> AugmentationConfig:
    return AugmentationConfig.model_validate({"ops": ops, **others})


def surely(name: str, **params: object) -> dict[str, object]:
    """An operation that is always done."""
    return {"name": name, "params": {"prob": 1, **params}}


def points_of(shape: Shape) -> np.ndarray:
    return np.array(shape.points).reshape(-1, 2)


def corners_of(shape: Shape) -> np.ndarray:
    if shape.kind != "box":
        return points_of(shape)
    (x1, y1), (x2, y2) = points_of(shape)
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def centres(width: int, height: int) -> np.ndarray:
    """The centre of every pixel, (height, width, 2)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=-1)


def distance_to_line(places: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The distance of each of (..., 2) places to a line through points."""
    nearest = np.full(places.shape[:-1], np.inf)
    for start, end in pairwise(line):
        step = end - start
        length = max(float(step @ step), 1e-12)
        share = np.clip(((places - start) @ step) / length, 0, 1)
        away = places - (start + share[..., None] * step)
        nearest = np.minimum(nearest, np.hypot(away[..., 0], away[..., 1]))
    return nearest


def depth_in_polygon(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """How deep each place lies inside a polygon; negative outside (even-odd rule)."""
    closed = np.concatenate([corners, corners[:1]])
    inside = np.zeros(places.shape[:-1], dtype=bool)
    for (x1, y1), (x2, y2) in pairwise(closed):
        if y1 == y2:
            continue
        spans = (y1 > places[..., 1]) != (y2 > places[..., 1])
        inside ^= spans & (places[..., 0] < x1 + (places[..., 1] - y1) * (x2 - x1) / (y2 - y1))
    return np.where(inside, 1, -1) * distance_to_line(places, closed)


def drawn(size: tuple[int, int], shape: Shape) -> Image.Image:
    """A picture with the shape as a patch."""
    pixels = np.full((size[1], size[0], 3), BACKGROUND, dtype=np.uint8)
    if shape.kind == "line":
        patch = distance_to_line(centres(*size), points_of(shape)) <= LINE_WIDTH / 2
    else:
        patch = depth_in_polygon(centres(*size), corners_of(shape)) >= 0
    pixels[patch] = PATCH
    return Image.fromarray(pixels)


def found(image: Image.Image) -> np.ndarray:
    """Where the patch is seen, bool (height, width)."""
    pixels = np.asarray(image).astype(int)
    return pixels[..., 0] - pixels[..., 2] > (PATCH[0] - BACKGROUND[2]) / 2 - 32


def changed(
    size: tuple[int, int], shape: Shape, settings: AugmentationConfig, record: int = 0
) -> Augmented:
    """What an augmentation makes of a picture with one patch."""
    return augment(drawn(size, shape), [shape], settings, Key(1, 2, record))
