"""Write places in a picture with the numbers that a model speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.config.schema import DataConfig
from trainer.data.objects import Shape
from trainer.data.pictures import PictureRule

OUTSIDE_SHARE = 0.01  # of an edge by which a coordinate may lie outside: rounding, not a mistake
OUTSIDE_PIXELS = 1.0
MOVED_INSIDE = "a coordinate just outside its picture was moved to the edge"
PUT_IN_ORDER = "the corners of a box were swapped"

Scale = Literal["pixel", "norm100", "norm1000"]
Markup = Literal["tokens", "plain"]

# As the model cards and technical reports of each family say.
SPOKEN: dict[str, tuple[Scale, Markup]] = {
    "qwen2_vl": ("norm1000", "tokens"),
    "qwen2_5_vl": ("pixel", "plain"),
}
SPOKEN_BY_OTHERS: tuple[Scale, Markup] = ("norm1000", "plain")  # Qwen3-VL


class PlaceError(ValueError):
    """A place that does not lie in its picture."""


@dataclass(frozen=True)
class Canvas:
    """A picture's size where its places are stated, and as the model sees it."""

    width: int
    height: int
    seen_width: int
    seen_height: int

    @classmethod
    def of(cls, width: int, height: int, rule: PictureRule) -> "Canvas":
        """Return the canvas of a picture that is resized by a rule."""
        seen_height, seen_width = rule.resized(width, height)
        return cls(width, height, seen_width, seen_height)


@dataclass(frozen=True)
class Speech:
    """How a checkpoint names places: on which scale, and with which marks around the numbers."""

    scale: Scale
    markup: Markup

    @classmethod
    def of(cls, model_type: str, options: DataConfig) -> "Speech":
        """Return what the options say; where they say auto, what models of this type speak."""
        scale, markup = SPOKEN.get(model_type, SPOKEN_BY_OTHERS)
        return cls(
            scale if options.coordinates == "auto" else options.coordinates,
            markup if options.box_markup == "auto" else options.box_markup,
        )

    def numbers(self, shape: Shape, canvas: Canvas, notes: set[str]) -> list[int]:
        """Return a figure's coordinates as whole numbers x1, y1, x2, y2, ...

        Args:
            shape: In pixels of the canvas.
            canvas: The picture.
            notes: Takes up what had to be mended.

        Raises:
            PlaceError: It reaches beyond the picture by more than rounding explains.

        """
        across = self._axis(shape.points[::2], canvas.width, canvas.seen_width, notes)
        down = self._axis(shape.points[1::2], canvas.height, canvas.seen_height, notes)
        if shape.kind == "box":
            if across[0] > across[1] or down[0] > down[1]:
                notes.add(PUT_IN_ORDER)
            across, down = sorted(across), sorted(down)
        return [number for point in zip(across, down, strict=True) for number in point]

    def _axis(self, values: Sequence[float], length: int, seen: int, notes: set[str]) -> list[int]:
        """Coordinates along one edge of `length` pixels, of which the model sees `seen`."""
        reach = {"pixel": seen, "norm100": 100, "norm1000": 1000}[self.scale]
        slack = max(OUTSIDE_PIXELS, OUTSIDE_SHARE * length)
        numbers: list[int] = []
        for value in values:
            if not -slack <= value <= length + slack:
                raise PlaceError(f"coordinate {value:g} lies outside, the edge has {length} pixels")
            inside = min(max(value, 0.0), float(length))
            if inside != value:
                notes.add(MOVED_INSIDE)
            numbers.append(round(inside / length * reach))
        return numbers

    def place(self, shape: Shape, numbers: Sequence[int], *, point: bool) -> str:
        """Return a place in a running text."""
        numbers = numbers[:2] if point else numbers
        if self.markup == "plain":
            return f"[{', '.join(map(str, numbers))}]"
        points = zip(numbers[::2], numbers[1::2], strict=True)
        text = ",".join(f"({x},{y})" for x, y in points)
        if shape.kind == "quad":
            return f"<|quad_start|>{text}<|quad_end|>"
        return text if shape.kind == "line" and not point else f"<|box_start|>{text}<|box_end|>"

    def name(self, text: str) -> str:
        """Return what an object is called in a running text."""
        plain = self.markup == "plain"
        return text if plain else f"<|object_ref_start|>{text}<|object_ref_end|>"
