"""Cut polygons and lines at the edges of a picture."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

from trainer.data.augment.affine import Point

Points = Sequence[Point]

MOST_CORNERS = 10  # of a polygon that is made a quad; more than one cut leaves


def area(polygon: Points) -> float:
    """Return a polygon's area, positive when its corners go clockwise (y grows downwards)."""
    turned = zip(polygon, (*polygon[1:], *polygon[:1]), strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in turned) / 2


def length(line: Points) -> float:
    """Return the length of a line through points."""
    return sum(math.dist(one, other) for one, other in pairwise(line))


def bounds(points: Points) -> tuple[float, float, float, float]:
    """Return the least x and y and the greatest x and y."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> tuple[Point, ...]:
    """Return the corners of an upright rectangle, clockwise from its top left."""
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def clamped(points: Points, width: float, height: float) -> tuple[Point, ...]:
    """Return each point moved into the picture by the shortest way."""
    return tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in points)


def convex_hull(points: Points) -> tuple[Point, ...]:
    """Return the hull's corners, clockwise; fewer than three where all points lie on one line.

    Andrew's monotone chain.
    """
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)
    lower, upper = _chain(ordered), _chain(ordered[::-1])
    return (*lower[:-1], *upper[:-1])


def _chain(points: Points) -> list[Point]:
    chain: list[Point] = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def clip_polygon(polygon: Points, width: float, height: float) -> tuple[Point, ...]:
    """Return the part of a convex polygon that lies in the picture; () where none does.

    Sutherland and Hodgman: one edge of the picture after the other.
    """
    points = list(polygon)
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        points = _clip_at(points, axis, limit, sign)
    return tuple(points) if len(points) > 2 else ()


def _clip_at(points: list[Point], axis: int, limit: float, sign: int) -> list[Point]:
    """The part of a polygon where `sign * coordinate >= sign * limit`."""
    kept: list[Point] = []
    for before, point in zip([*points[-1:], *points[:-1]], points, strict=True):
        inside, was_inside = (sign * (each[axis] - limit) >= 0 for each in (point, before))
        if inside != was_inside:
            kept.append(_crossing(before, point, axis, limit))
        if inside:
            kept.append(point)
    return kept


def _crossing(one: Point, other: Point, axis: int, limit: float) -> Point:
    share = (limit - one[axis]) / (other[axis] - one[axis])
    across = one[1 - axis] + share * (other[1 - axis] - one[1 - axis])
    return (limit, across) if axis == 0 else (across, limit)


def clip_line(line: Points, width: float, height: float) -> tuple[Point, ...]:
    """Return the longest connected part of a line that lies in the picture; () where none does."""
    pieces: list[list[Point]] = []
    for one, other in pairwise(line):
        part = _clip_segment(one, other, width, height)
        if part is None:
            continue
        if pieces and pieces[-1][-1] == part[0] == one:  # not left in between
            pieces[-1].append(part[1])
        else:
            pieces.append(list(part))
    return tuple(max(pieces, key=length, default=[]))


def _clip_segment(
    one: Point, other: Point, width: float, height: float
) -> tuple[Point, Point] | None:
    """The part of a segment in the picture, by Liang and Barsky; None where there is none."""
    enter, leave = 0.0, 1.0
    for axis, limit in ((0, width), (1, height)):
        start, step = one[axis], other[axis] - one[axis]
        if step == 0:
            if not 0 <= start <= limit:
                return None
            continue
        near, far = sorted(((0 - start) / step, (limit - start) / step))
        enter, leave = max(enter, near), min(leave, far)
    if enter > leave:
        return None
    ends = (_along(one, other, enter), _along(one, other, leave))
    first, last = clamped(ends, width, height)  # rounding may leave an end a hair outside
    return first, last


def _along(one: Point, other: Point, share: float) -> Point:
    if share in (0.0, 1.0):
        return other if share else one
    return (one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1]))


def four_corners(polygon: Points) -> tuple[Point, ...]:
    """Return four corners that stand for a convex polygon, in its order.

    Of more than four, those that enclose most: at least 2 / pi of its area (Sas, 1939), and nothing
    that it does not enclose. A triangle gets the middle of its longest side as a corner.
    """
    polygon = _with_fewer_corners(polygon, MOST_CORNERS)
    if len(polygon) == 3:
        sides = list(zip(polygon, (*polygon[1:], polygon[0]), strict=True))
        longest = max(range(3), key=lambda side: math.dist(*sides[side]))
        middle = _along(*sides[longest], 0.5)
        return (*polygon[: longest + 1], middle, *polygon[longest + 1 :])
    return max(combinations(polygon, 4), key=lambda four: abs(area(four)))


def _with_fewer_corners(polygon: Points, most: int) -> Points:
    """The polygon without the corners that enclose least, until there are few enough to compare."""
    corners = list(polygon)
    while len(corners) > most:
        count = len(corners)
        losses = [
            abs(area((corners[i - 1], corners[i], corners[(i + 1) % count]))) for i in range(count)
        ]
        del corners[losses.index(min(losses))]
    return corners


def thick_rectangle(points: Points, thickness: float) -> tuple[Point, ...]:
    """Return a rectangle of this thickness about points on one line."""
    start, end = min(points), max(points)
    long = math.dist(start, end)
    along = ((end[0] - start[0]) / long, (end[1] - start[1]) / long) if long else (1.0, 0.0)
    half = thickness / 2
    ahead = (along[0] * max(0.0, half - long / 2), along[1] * max(0.0, half - long / 2))
    aside = (-along[1] * half, along[0] * half)
    (x1, y1), (x2, y2) = start, end
    x1, y1, x2, y2 = x1 - ahead[0], y1 - ahead[1], x2 + ahead[0], y2 + ahead[1]
    return (
        (x1 - aside[0], y1 - aside[1]),
        (x2 - aside[0], y2 - aside[1]),
        (x2 + aside[0], y2 + aside[1]),
        (x1 + aside[0], y1 + aside[1]),
    )
