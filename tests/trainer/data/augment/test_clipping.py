"""What is cut at the edges of a picture stays in it, and is as much as was there."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.trainer.data.augment.patches import centres, depth_in_polygon
from trainer.data.augment.clipping import (
    area,
    clip_line,
    clip_polygon,
    convex_hull,
    four_corners,
    length,
    thick_rectangle,
)

WIDTH, HEIGHT = 40, 30
NUMBERS = st.floats(-60, 90, width=32)
POINTS = st.tuples(NUMBERS, NUMBERS)
POLYGONS = st.lists(POINTS, min_size=3, max_size=8).map(convex_hull)


@given(POLYGONS)
def test_a_polygon_is_cut_to_what_the_picture_shows_of_it(polygon: tuple[tuple[float, float], ...]):
    assume(len(polygon) > 2 and area(polygon) > 1)
    cut = clip_polygon(polygon, WIDTH, HEIGHT)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in cut)
    fine = centres(4 * WIDTH, 4 * HEIGHT) / 4  # 16 places a pixel
    seen = (depth_in_polygon(fine, np.array(polygon)) > 0).sum() / 16
    outline = 2 * (WIDTH + HEIGHT)
    assert abs((area(cut) if cut else 0) - seen) < 0.15 * outline / 4 + 2


def test_a_polygon_around_the_picture_is_cut_to_the_picture():
    cut = clip_polygon([(-10, -10), (99, -10), (99, 99), (-10, 99)], WIDTH, HEIGHT)
    assert area(cut) == WIDTH * HEIGHT
    assert set(cut) == {(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)}


def test_a_polygon_outside_is_cut_to_nothing():
    assert clip_polygon([(41, 0), (50, 0), (45, 9)], WIDTH, HEIGHT) == ()
    assert clip_polygon([(-60, 31), (90, 31), (40, 90)], WIDTH, HEIGHT) == ()


@given(st.lists(POINTS, min_size=2, max_size=6))
def test_a_line_keeps_its_longest_part_in_the_picture(line: list[tuple[float, float]]):
    cut = clip_line(line, WIDTH, HEIGHT)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in cut)
    share = np.linspace(0, 1, 2001)[:, None]
    longest = run = 0.0
    for start, end in zip(map(np.array, line), map(np.array, line[1:]), strict=False):
        places = start + share * (end - start)
        inside = np.minimum(places, (WIDTH, HEIGHT) - places).min(axis=1) >= 0
        for place in inside[:-1] & inside[1:]:
            run = run + math.dist(start, end) / 2000 if place else 0.0
            longest = max(longest, run)
    steps = sum(math.dist(a, b) for a, b in pairwise(line)) / 2000
    assert length(cut) >= longest - 1e-3
    assert length(cut) <= longest + 4 * steps + 1e-3


def test_a_line_that_leaves_and_comes_back_is_not_closed_over_the_gap():
    cut = clip_line([(5, 5), (5, 50), (20, 50), (20, 1)], WIDTH, HEIGHT)
    assert cut == ((20, HEIGHT), (20, 1))


@given(POLYGONS)
def test_four_corners_lie_in_the_polygon_and_enclose_most_of_it(
    polygon: tuple[tuple[float, float], ...],
):
    assume(len(polygon) > 2 and area(polygon) > 1)
    corners = four_corners(polygon)
    assert len(corners) == 4
    assert area(corners) >= 2 / math.pi * area(polygon) - 1e-6
    if len(polygon) > 3:
        assert set(corners) <= set(polygon)
    else:
        assert math.isclose(area(corners), area(polygon), rel_tol=1e-9)


@given(st.lists(POINTS, min_size=1, max_size=1), st.floats(0, 2 * math.pi), st.floats(0, 50))
def test_points_on_a_line_get_a_rectangle_around_them(
    start: list[tuple[float, float]], angle: float, far: float
):
    (x, y) = start[0]
    end = (x + far * math.cos(angle), y + far * math.sin(angle))
    around = thick_rectangle([(x, y), end], 1.0)
    assert math.isclose(abs(area(around)), max(1.0, far), rel_tol=1e-3, abs_tol=1e-3)
