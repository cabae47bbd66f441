"""The geometric operations: each says how the canvas moves, nothing is computed yet."""

import math
from collections.abc import Callable
from typing import Any

from trainer.config.augmentation import (
    Crop,
    Expand,
    Flip,
    Operation,
    Pad,
    Resize,
    Rotate,
    Scale,
    Shear,
)
from trainer.data.augment import clipping
from trainer.data.augment.affine import Matrix, about, moved, shift, slant, stretch, then, turn
from trainer.data.augment.canvas import Canvas, Step
from trainer.data.augment.draws import Draws

HAIR = 1e-6  # px; a canvas does not grow by a pixel because of rounding


def flip(operation: Flip, canvas: Canvas, _draws: Draws) -> Step:
    """Mirror the canvas."""
    width, height = canvas.width, canvas.height
    if operation.direction == "horizontal":
        return Step(then(stretch(-1, 1), shift(width, 0)), width, height, "horizontal")
    return Step(then(stretch(1, -1), shift(0, height)), width, height, "vertical")


def rotate(operation: Rotate, canvas: Canvas, draws: Draws) -> Step:
    """Turn the canvas about its centre."""
    degrees = draws.between(operation.degrees)
    step = _grown if operation.grow else _kept
    return step(canvas, turn(degrees), f"{degrees:.2f} degrees")


def scale(operation: Scale, canvas: Canvas, draws: Draws) -> Step:
    """Enlarge or shrink about the centre; the canvas stays."""
    factor = draws.between(operation.factor)
    return _kept(canvas, stretch(factor, factor), f"{factor:.3f}")


def shear(operation: Shear, canvas: Canvas, draws: Draws) -> Step:
    """Slant the canvas about its centre."""
    x, y = draws.between(operation.x_degrees), draws.between(operation.y_degrees)
    step = _grown if operation.grow else _kept
    return step(canvas, slant(x, y), f"{x:.2f} and {y:.2f} degrees")


def crop(operation: Crop, canvas: Canvas, draws: Draws) -> Step:
    """Cut out a window at a random place."""
    share, aspect = draws.between(operation.area), draws.between(operation.aspect)
    width = _whole(canvas.width * math.sqrt(share * aspect), canvas.width)
    height = _whole(canvas.height * math.sqrt(share / aspect), canvas.height)
    x, y = draws.whole(0, canvas.width - width), draws.whole(0, canvas.height - height)
    return Step(shift(-x, -y), width, height, f"{width} x {height} at {x}, {y}")


def resize(operation: Resize, canvas: Canvas, draws: Draws) -> Step:
    """Make the canvas larger or smaller."""
    factor = draws.between(operation.factor)
    width, height = _whole(canvas.width * factor), _whole(canvas.height * factor)
    matrix = stretch(width / canvas.width, height / canvas.height)
    return Step(matrix, width, height, f"to {width} x {height}")


def expand(operation: Expand, canvas: Canvas, draws: Draws) -> Step:
    """Put the canvas somewhere on a larger one."""
    factor = draws.between(operation.factor)
    width, height = _whole(canvas.width * factor), _whole(canvas.height * factor)
    x, y = draws.whole(0, width - canvas.width), draws.whole(0, height - canvas.height)
    return Step(shift(x, y), width, height, f"to {width} x {height}, picture at {x}, {y}")


def pad(operation: Pad, canvas: Canvas, _draws: Draws) -> Step:
    """Fill up at the right and at the bottom to a multiple."""
    multiple = operation.multiple
    width, height = (-(-side // multiple) * multiple for side in (canvas.width, canvas.height))
    return Step(shift(0, 0), width, height, f"to {width} x {height}")


GEOMETRIC: dict[type[Operation], Callable[[Any, Canvas, Draws], Step]] = {
    Flip: flip,
    Rotate: rotate,
    Scale: scale,
    Shear: shear,
    Crop: crop,
    Resize: resize,
    Expand: expand,
    Pad: pad,
}


def _whole(pixels: float, most: float = math.inf) -> int:
    return int(min(max(1, round(pixels)), most))


def _kept(canvas: Canvas, matrix: Matrix, told: str) -> Step:
    centre = (canvas.width / 2, canvas.height / 2)
    return Step(about(centre, matrix), canvas.width, canvas.height, told)


def _grown(canvas: Canvas, matrix: Matrix, told: str) -> Step:
    """The step on a canvas that holds all of the one before."""
    corners = clipping.rectangle(0, 0, canvas.width, canvas.height)
    x1, y1, x2, y2 = clipping.bounds(moved(matrix, corners))
    width, height = (max(1, math.ceil(side - HAIR)) for side in (x2 - x1, y2 - y1))
    centring = shift((width - x1 - x2) / 2, (height - y1 - y2) / 2)
    return Step(then(matrix, centring), width, height, told)
