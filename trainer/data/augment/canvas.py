"""A picture that is moved and cut without being computed yet, and the one resampling at the end."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from trainer.data.augment import clipping
from trainer.data.augment.affine import (
    IDENTITY,
    Matrix,
    Point,
    inverse,
    moved,
    moves_pixels_whole,
    stretch,
    then,
)
from trainer.data.images import MAX_ASPECT_RATIO

Colour = tuple[int, int, int]


class LeftOut(Exception):
    """An operation cannot be done to this picture; the message says why."""


@dataclass(frozen=True)
class Step:
    """What a geometric operation does: where the canvas goes, and its size afterwards."""

    matrix: Matrix
    width: int
    height: int
    told: str = ""  # with the numbers that were drawn

    def within(self, max_pixels: int, before: int) -> "Step":
        """Return the step, shrunk where it would make a canvas of `before` pixels too large."""
        pixels = self.width * self.height
        if pixels <= max(max_pixels, before):
            return self
        shrink = math.sqrt(max_pixels / pixels)
        width, height = max(1, int(self.width * shrink)), max(1, int(self.height * shrink))
        scaling = stretch(width / self.width, height / self.height)
        return Step(then(self.matrix, scaling), width, height, self.told)


@dataclass(frozen=True)
class Canvas:
    """A source picture under a map, as far as every canvas on the way has shown it."""

    width: int
    height: int
    matrix: Matrix  # from the source picture's pixels to the canvas's
    window: tuple[Point, ...]  # what is visible of the source picture: a convex polygon

    @classmethod
    def of(cls, image: Image.Image) -> "Canvas":
        """Return a picture as it is."""
        width, height = image.size
        return cls(width, height, IDENTITY, clipping.rectangle(0, 0, width, height))

    def after(self, step: Step) -> "Canvas":
        """Return the canvas after one more step.

        Raises:
            LeftOut: It would be too long and thin for the models, or show nothing of the picture.

        """
        width, height = step.width, step.height
        if _aspect(width, height) > max(MAX_ASPECT_RATIO, _aspect(self.width, self.height)):
            raise LeftOut(f"{width} x {height} pixels: an aspect ratio over {MAX_ASPECT_RATIO}")
        window = clipping.clip_polygon(moved(step.matrix, self.window), width, height)
        if not window:
            raise LeftOut("nothing of the picture would be seen")
        return Canvas(width, height, then(self.matrix, step.matrix), window)

    def render(self, image: Image.Image, fill: Colour) -> Image.Image:
        """Return the source picture on this canvas, resampled once; `fill` is all around it."""
        size = (self.width, self.height)
        if self.matrix == IDENTITY and image.size == size:
            drawn = image
        elif moves_pixels_whole(self.matrix):
            drawn = _transformed(image, size, self.matrix, Image.Resampling.NEAREST, fill)
        else:
            reduced, matrix = _reduced(image, self.matrix)
            drawn = _transformed(reduced, size, matrix, Image.Resampling.BICUBIC, fill)
        return self._without_what_was_cut(drawn, image.size, fill)

    def _without_what_was_cut(
        self, drawn: Image.Image, source: tuple[int, int], fill: Colour
    ) -> Image.Image:
        """The picture with the fill where an earlier canvas had cut it off."""
        outline = moved(self.matrix, clipping.rectangle(0, 0, *source))
        shown = clipping.clip_polygon(outline, self.width, self.height)
        if abs(clipping.area(self.window)) > abs(clipping.area(shown)) * (1 - 1e-9):
            return drawn
        mask = Image.fromarray(_inside(self.window, self.width, self.height).astype(np.uint8) * 255)
        return Image.composite(drawn, Image.new("RGB", drawn.size, fill), mask)


def _aspect(width: int, height: int) -> float:
    return max(width, height) / min(width, height)


def _transformed(
    image: Image.Image,
    size: tuple[int, int],
    matrix: Matrix,
    resampling: Image.Resampling,
    fill: Colour,
) -> Image.Image:
    return image.transform(
        size, Image.Transform.AFFINE, inverse(matrix), resampling, fillcolor=fill
    )


def _reduced(image: Image.Image, matrix: Matrix) -> tuple[Image.Image, Matrix]:
    """The picture with blocks of pixels averaged where the map shrinks it by 2 or more.

    Interpolation looks at four pixels a side only, so a stronger shrinking would alias.
    """
    a, b, _, d, e, _ = matrix
    across, down = (max(1, int(1 / max(math.hypot(*it), 1e-9))) for it in ((a, d), (b, e)))
    across, down = min(across, image.width), min(down, image.height)
    if across == down == 1:
        return image, matrix
    return image.reduce((across, down)), then(stretch(across, down), matrix)


def _inside(polygon: tuple[Point, ...], width: int, height: int) -> np.ndarray:
    """Whether each pixel's centre lies in a convex polygon, bool (height, width)."""
    rows = np.arange(height) + 0.5
    left, right = np.full(height, np.inf), np.full(height, -np.inf)
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y1 == y2:
            continue
        crossed = (rows >= min(y1, y2)) & (rows <= max(y1, y2))
        at = x1 + (rows[crossed] - y1) * ((x2 - x1) / (y2 - y1))
        left[crossed] = np.minimum(left[crossed], at)
        right[crossed] = np.maximum(right[crossed], at)
    columns = np.arange(width) + 0.5
    return (columns >= left[:, None]) & (columns <= right[:, None])
