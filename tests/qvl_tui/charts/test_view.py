import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.charts.data import Curve, View
from qvl_tui.charts.view import (
    data_bounds,
    known_x,
    move_cursor,
    pan,
    reveal,
    window,
    zoom,
)
from tests.qvl_tui.charts.curves import chart, line

RUN = (1.0, 1498.0)
STEPS = np.arange(1.0, 1499.0)


def test_the_bounds_are_those_of_all_curves_or_of_the_whole_run():
    two = chart(line(1, 2, 3), Curve("b", np.array([2.0, 9.0]), np.array([1.0, 1.0])))
    assert data_bounds(two) == (1.0, 9.0)
    assert data_bounds(chart(line(1, 2), x_range=(0.0, 50.0))) == (0.0, 50.0)
    assert data_bounds(chart(line())) is None
    assert known_x(chart(line(1, np.nan, 3), line(np.nan, np.nan, 3, 4))).tolist() == [1, 3, 4]


def test_the_live_end_has_a_rounded_bound_that_new_points_do_not_move():
    ends = {window(View(), (1.0, float(last))) for last in range(1420, 1500)}
    assert ends == {(0.0, 1500.0)}


def test_a_part_that_was_chosen_is_seen_exactly():
    assert window(View(x_min=33.3, x_max=44.4), RUN) == (33.3, 44.4)


@pytest.mark.parametrize("place", [0.0, 5.0, -1e9, 2e9])
def test_a_single_place_has_room_on_both_sides(place: float):
    left, right = window(View(), (place, place))
    assert left < place < right


def test_zooming_while_following_keeps_the_live_end_in_sight():
    closer = zoom(View(), RUN, 2)
    assert closer.follows
    assert closer.x_min == 748.0
    assert window(zoom(closer, RUN, 2), RUN)[1] >= RUN[1]


def test_zooming_holds_the_place_under_the_pointer():
    view = View(x_min=100, x_max=500)
    closer = zoom(view, RUN, 2, at=200)
    assert (closer.x_min, closer.x_max) == (150, 350)
    assert zoom(closer, RUN, 0.5, at=200) == view


def test_zooming_holds_the_cursor_without_a_pointer():
    closer = zoom(View(x_min=100, x_max=500, cursor=400), RUN, 4)
    assert (closer.x_min, closer.x_max) == (325, 425)


def test_zooming_out_ends_with_the_whole_run_that_follows():
    view = View(x_min=100, x_max=500)
    for _ in range(5):
        view = zoom(view, RUN, 0.5)
    assert view == View()


def test_panning_stops_at_both_ends_and_follows_again_at_the_live_one():
    view = View(x_min=100, x_max=500)
    assert pan(view, RUN, -1) == View(x_min=1, x_max=401)
    assert pan(view, RUN, 0.25) == View(x_min=200, x_max=600)
    assert pan(view, RUN, 100) == View(x_min=1098, x_max=None)
    assert not pan(View(x_min=1098), RUN, -0.1).follows
    assert pan(View(), RUN, -0.5) == View()


def test_the_cursor_begins_at_the_right_end_and_goes_from_known_value_to_known_value():
    view = move_cursor(View(), STEPS, -1)
    assert view.cursor == 1498
    assert move_cursor(view, STEPS, -1).cursor == 1497
    assert move_cursor(view, STEPS, -10).cursor == 1488
    assert move_cursor(view, STEPS, 1).cursor == 1498
    assert move_cursor(view, STEPS, -len(STEPS)).cursor == 1
    assert move_cursor(View(x_min=10, x_max=20), STEPS, 1).cursor == 20


def test_the_cursor_moves_at_least_as_far_as_can_be_seen():
    view = View(cursor=100)
    assert move_cursor(view, STEPS, 1, least=25).cursor == 125
    assert move_cursor(view, STEPS, -2, least=25).cursor == 50
    assert move_cursor(view, np.array([1.0, 100, 900]), 1, least=25).cursor == 900


def test_a_cursor_between_known_values_goes_to_the_neighbours():
    places = np.array([10.0, 20.0, 30.0])
    assert move_cursor(View(cursor=24), places, 1).cursor == 30
    assert move_cursor(View(cursor=24), places, -1).cursor == 20
    assert move_cursor(View(), np.empty(0), 1) == View()


def test_what_is_seen_follows_the_cursor_just_so_far():
    view = View(x_min=100, x_max=200, cursor=200)
    assert move_cursor(view, STEPS, 10) == View(x_min=110, x_max=210, cursor=210)
    assert reveal(view, RUN, 50) == View(x_min=50, x_max=150, cursor=50)
    assert reveal(view, RUN, 5000).cursor == 1498
    assert reveal(View(), RUN, 700) == View(cursor=700)


places = st.floats(-1e9, 1e10)


@given(places, st.floats(0, 1e9), places, st.floats(0, 1e9), st.floats(0.01, 100), st.floats(-2, 2))
def test_no_gesture_leaves_the_run(
    begin: float, length: float, low: float, width: float, factor: float, share: float
):
    bounds = begin, begin + length
    view = View(x_min=low, x_max=low + width)
    for moved in (zoom(view, bounds, factor), pan(view, bounds, share)):
        left, right = window(moved, bounds)
        assert left < right
        if moved.x_min is not None:
            assert moved.x_min >= bounds[0]
        if moved.x_max is not None:
            assert moved.x_max <= bounds[1] + abs(bounds[1]) * 1e-9 + 1e-9
