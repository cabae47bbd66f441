"""Say what is marked in a picture: a box, a quad or a line, in pixels, with its description."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["box", "quad", "line"]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Shape:
    """A figure in a picture, in pixels from the top left corner; x grows right, y grows down.

    `points` is x1, y1, x2, y2, ...: two opposite corners of a box (4 numbers), the corners of a
    quad in order round it (8), the points of a line in order along it (2n, at least 4). Pixel
    (column, row) covers the square from (column, row) to (column + 1, row + 1), so a box over
    a whole picture is 0, 0, width, height.

    Raises ValueError for another kind, a wrong count of numbers, or a number that is not finite.
    """

    kind: Kind
    points: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a shape is one of {', '.join(KINDS)}, not {self.kind!r}")
        if problem := problem_of_count(self.kind, len(self.points)):
            raise ValueError(problem)
        if not all(math.isfinite(number) for number in self.points):
            raise ValueError(f"a {self.kind} has a coordinate that is not a finite number")


@dataclass(frozen=True)
class MarkedObject:
    """A shape in a picture and what it shows."""

    shape: Shape
    desc: str


def problem_of_count(kind: Kind, count: int) -> str | None:
    """What is wrong with `count` numbers for a shape of this kind, or None."""
    if kind == "box" and count != 4:
        return f"a box has 4 numbers, not {count}"
    if kind == "quad" and count != 8:
        return f"a quad has 8 numbers, not {count}"
    if kind == "line" and (count < 4 or count % 2):
        return f"a line has an even count of at least 4 numbers, not {count}"
    return None
