"""Shapes on their way through an augmentation: moved, cut, and given back as shapes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from trainer.data.augment import clipping
from trainer.data.augment.affine import Matrix, Point, moved
from trainer.data.objects import Kind, Shape

FARTHEST = 1e7  # px; coordinates beyond it are no place near any picture, and would overflow
FLAT = 1e-6  # px2; a polygon with less area has no inside
SMALLEST = 1.0  # px; nothing smaller than a pixel can be marked
UNCUT = 1 - 1e-5  # a share above it is whole: rounding cuts off a hair


@dataclass(frozen=True)
class Figure:
    """A shape on the canvas as it is at the moment."""

    kind: Kind
    corners: tuple[Point, ...]  # all points in their order, also where the canvas ends before them
    visible: tuple[Point, ...]  # what the canvas shows: a convex polygon, of a line the line
    coverage: float = 1.0  # the visible share of what the picture showed at first
    is_cut: bool = False

    def moved(self, matrix: Matrix) -> "Figure":
        """Return the figure where a map takes it."""
        corners, visible = moved(matrix, self.corners), moved(matrix, self.visible)
        return replace(self, corners=corners, visible=visible)

    def cut_to(self, width: int, height: int) -> "Figure":
        """Return what a canvas of this size shows of it; its coverage is 0 where that is nothing.

        A line keeps its longest connected part.
        """
        visible = _cut(self.kind, self.visible, width, height)
        share = _share(self.kind, visible, self.visible)
        if share > UNCUT:
            return self
        return replace(self, visible=visible, coverage=self.coverage * share, is_cut=True)

    def shape(self, width: int, height: int) -> Shape:
        """Return the figure as a shape within a canvas of this size."""
        if self.kind == "box":
            x1, y1, x2, y2 = clipping.bounds(clipping.clamped(self.visible, width, height))
            (x1, x2), (y1, y2) = _at_least_a_pixel(x1, x2, width), _at_least_a_pixel(y1, y2, height)
            return Shape("box", (x1, y1, x2, y2))
        points = self.visible if self.kind == "line" else self._quad()
        return Shape(self.kind, tuple(chain.from_iterable(clipping.clamped(points, width, height))))

    def _quad(self) -> tuple[Point, ...]:
        """Four corners, in the direction of the marked ones and starting next to their first."""
        if not self.is_cut:
            return self.corners
        corners = clipping.four_corners(self.visible)
        if clipping.area(corners) * clipping.area(self.corners) < 0:
            corners = corners[::-1]
        turns = (corners[start:] + corners[:start] for start in range(4))
        return min(turns, key=lambda turn: sum(map(math.dist, turn, self.corners)))


def figure_of(shape: Shape, width: int, height: int) -> Figure:
    """Return a shape as a figure in a picture of this size.

    What lies outside the picture is cut off first. A shape without an inside, or wholly outside,
    becomes one of a pixel at the nearest place in the picture.
    """
    numbers = [min(max(number, -FARTHEST), FARTHEST) for number in shape.points]
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if shape.kind == "line":
        visible = clipping.clip_line(points, width, height)
        return Figure("line", points, visible or clipping.clamped(points, width, height))
    if shape.kind == "box":
        points = clipping.rectangle(*clipping.bounds(points))
    for corners in (points, clipping.clamped(points, width, height)):
        solid = _with_an_inside(shape.kind, corners)
        visible = clipping.clip_polygon(clipping.convex_hull(solid), width, height)
        if abs(clipping.area(visible)) > FLAT:
            break
    whole = abs(clipping.area(visible)) > UNCUT * abs(clipping.area(clipping.convex_hull(solid)))
    return Figure(shape.kind, solid, visible, is_cut=not whole)


def _with_an_inside(kind: Kind, points: Sequence[Point]) -> tuple[Point, ...]:
    if kind == "box":
        x1, y1, x2, y2 = clipping.bounds(points)
        (x1, x2), (y1, y2) = _at_least_a_pixel(x1, x2), _at_least_a_pixel(y1, y2)
        return clipping.rectangle(x1, y1, x2, y2)
    hull = clipping.convex_hull(points)
    if abs(clipping.area(hull)) > FLAT:
        return tuple(points)
    return clipping.thick_rectangle(points, SMALLEST)


def _at_least_a_pixel(low: float, high: float, limit: float = math.inf) -> tuple[float, float]:
    """The interval, widened to a pixel; within 0 and `limit` where there is one."""
    if high - low >= SMALLEST:
        return low, high
    middle = (low + high) / 2
    low, high = middle - SMALLEST / 2, middle + SMALLEST / 2
    if limit < math.inf:
        low = min(max(low, 0.0), limit - SMALLEST)
        high = low + SMALLEST
    return low, high


def _cut(kind: Kind, points: Sequence[Point], width: int, height: int) -> tuple[Point, ...]:
    if kind == "line":
        return clipping.clip_line(points, width, height)
    return clipping.clip_polygon(points, width, height)


def _share(kind: Kind, part: Sequence[Point], whole: Sequence[Point]) -> float:
    """How much of a figure a part of it is, from 0 to 1."""
    if not part:
        return 0.0
    if kind == "line":
        full = clipping.length(whole)
        return min(1.0, clipping.length(part) / full) if full else 1.0
    return min(1.0, abs(clipping.area(part) / clipping.area(whole)))
