"""Affine maps of the plane, as six numbers: x' = a x + b y + c, y' = d x + e y + f."""

import math
from collections.abc import Iterable

Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ROUNDING = 1e-9


def shift(x: float, y: float) -> Matrix:
    """Return the map that moves everything by (x, y)."""
    return (1.0, 0.0, x, 0.0, 1.0, y)


def stretch(x: float, y: float) -> Matrix:
    """Return the map that stretches by these factors, away from the origin."""
    return (x, 0.0, 0.0, 0.0, y, 0.0)


def turn(degrees: float) -> Matrix:
    """Return the map that turns clockwise (y grows downwards) about the origin."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if degrees % 90 == 0:  # quarter turns are exact
        cosine, sine = float(round(cosine)), float(round(sine))
    return (cosine, -sine, 0.0, sine, cosine, 0.0)


def slant(x_degrees: float, y_degrees: float) -> Matrix:
    """Return the map that slants along x, then along y; it can always be undone."""
    x, y = math.tan(math.radians(x_degrees)), math.tan(math.radians(y_degrees))
    return (1.0, x, 0.0, y, 1.0 + x * y, 0.0)


def then(first: Matrix, *later: Matrix) -> Matrix:
    """Return one map that does what these do one after the other."""
    a, b, c, d, e, f = first
    for g, h, i, j, k, m in later:
        a, b, c, d, e, f = (
            g * a + h * d,
            g * b + h * e,
            g * c + h * f + i,
            j * a + k * d,
            j * b + k * e,
            j * c + k * f + m,
        )
    return (a, b, c, d, e, f)


def about(centre: Point, matrix: Matrix) -> Matrix:
    """Return a map of which the centre stays where it is."""
    x, y = centre
    return then(shift(-x, -y), matrix, shift(x, y))


def inverse(matrix: Matrix) -> Matrix:
    """Return the map that undoes another."""
    a, b, c, d, e, f = matrix
    area = a * e - b * d
    g, h, j, k = e / area, -b / area, -d / area, a / area
    return (g, h, -(g * c + h * f), j, k, -(j * c + k * f))


def moved(matrix: Matrix, points: Iterable[Point]) -> tuple[Point, ...]:
    """Return where a map takes points."""
    a, b, c, d, e, f = matrix
    return tuple((a * x + b * y + c, d * x + e * y + f) for x, y in points)


def moves_pixels_whole(matrix: Matrix) -> bool:
    """Whether every pixel lands on a pixel: flips, quarter turns and whole shifts."""
    a, b, c, d, e, f = matrix
    upright = abs(a) == abs(e) == 1 and b == d == 0
    lying = abs(b) == abs(d) == 1 and a == e == 0
    return (upright or lying) and all(abs(it - round(it)) < ROUNDING for it in (c, f))
