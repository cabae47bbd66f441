from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from qvl_tui.charts.data import ChartData, Curve, Mark, View
from qvl_tui.charts.frame import framed
from qvl_tui.charts.plot import GUTTER, Layout, plotted
from qvl_tui.charts.roles import Role
from tests.qvl_tui.charts.curves import any_chart, any_view, chart, dots_of, drawn, line, lines_of


@settings(max_examples=200, deadline=None)
@given(any_chart(), any_view(), st.integers(0, 70), st.integers(0, 20), st.booleans())
def test_any_series_at_any_size_fills_exactly_its_cells(
    data: ChartData, view: View, width: int, height: int, flag: bool
):
    frame = drawn(data, view, (width, height), plain=flag, selected=flag)
    for row in lines_of(frame):
        assert cell_len(row) == width
    assert len(lines_of(frame)) == height


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12) | st.just(float("nan")), min_size=2, max_size=400),
    st.integers(12, 60),
    st.integers(3, 14),
    st.booleans(),
)
def test_the_highest_and_the_lowest_value_have_their_dots(
    values: list[float], width: int, height: int, plain: bool
):
    data = chart(line(*values, slot=2))
    known = [it for it in values if np.isfinite(it)]
    layout = Layout(width, height)
    plot = plotted(data, View(), layout, plain=plain)
    for value in (min(known), max(known)) if known else ():
        columns = [plot.column_of(i + 1.0) for i, it in enumerate(values) if it == value]
        row = plot.cells[plot.row_of(value)]
        places = row if plain else row[[it for it in columns if it is not None]]
        assert (places != ord(" ")).any()


def test_a_spike_of_one_step_in_a_million_is_drawn():
    y = np.ones(1_000_000)
    y[617_123] = 9.0
    data = chart(Curve("train", np.arange(1e6), y))
    dots = dots_of(drawn(data, size=(60, 16)), GUTTER)
    column = int(617_123 / 1e6 * dots.shape[1])
    assert dots[:, column - 1 : column + 2].any(axis=1).sum() > 45


def test_a_line_goes_on_without_holes_between_points_that_lie_far_apart():
    jumps = np.random.default_rng(0).normal(0, 1, 30)
    dots = dots_of(drawn(chart(line(*jumps)), size=(60, 16)), GUTTER)
    rows = [np.flatnonzero(column) for column in dots.T]
    filled = [it for it in rows if len(it)]
    assert len(filled) == len(rows) or not len(rows[-1])
    for left, right in pairwise(filled):
        assert left.min() <= right.max() + 1
        assert right.min() <= left.max() + 1


def test_unknown_values_leave_a_gap():
    known = dots_of(drawn(chart(line(1, 1, 1, 1, 1))), GUTTER)
    gap = dots_of(drawn(chart(line(1, 1, np.nan, 1, 1))), GUTTER)
    middle = gap.shape[1] // 2
    assert known.any(axis=0).all()
    assert not gap[:, middle - 5 : middle + 5].any()
    assert gap[:, :20].any(axis=0).all()
    assert gap[:, -20:].any(axis=0).all()


def test_stairs_keep_their_height_until_the_next_point():
    stairs = dots_of(drawn(chart(line(0, 10, style="steps"))), GUTTER)
    slope = dots_of(drawn(chart(line(0, 10))), GUTTER)
    middle = stairs.shape[1] // 2
    assert np.flatnonzero(stairs[:, middle]).tolist() == [stairs.shape[0] - 1]
    assert 10 < np.flatnonzero(slope[:, middle]).mean() < 30


def test_a_ghost_lies_behind_the_smoothed_line():
    noisy = np.tile([0.0, 2.0], 300)
    data = chart(line(*noisy, style="ghost"), line(*np.ones(600)))
    frame = drawn(data)
    middle = frame.roles[5, GUTTER + 20]
    assert middle == Role.CURVE
    assert (frame.roles[:10, GUTTER + 20] == Role.GHOST).sum() > 6


def test_the_later_of_two_lines_owns_a_cell_and_both_keep_their_dots():
    flat, steep = line(*np.full(200, 5.0)), line(*np.linspace(0, 10, 200), label="b", slot=1)
    both = drawn(chart(flat, steep))
    crossing = both.roles[:10] == Role.CURVE + 1
    assert crossing.any()
    middle = dots_of(both, GUTTER)[:, 20:80]
    assert (middle.sum(axis=0) >= 2).sum() > 50


def test_points_are_markers_of_their_slot_and_crowds_of_them_are_dots_with_some_markers():
    few = "".join(lines_of(drawn(chart(line(1, 2, 3, style="points", slot=2)))))
    many = "".join(lines_of(drawn(chart(line(*range(500), style="points", slot=2)))))
    assert few.count("▲") == 3
    assert many.count("▲") == 13
    assert sum("⠀" < it <= "⣿" for it in many) > 20


def test_without_colour_each_slot_has_its_own_pattern_and_every_line_ends_in_its_marker():
    curves = [line(*np.full(300, float(i)), label=str(i), slot=i) for i in range(4)]
    plain = drawn(chart(*curves), plain=True)
    dots = dots_of(plain, GUTTER)
    patterns = {tuple(row[:60]) for row in dots if row.any()}
    assert len(patterns) == 4
    assert all(marker in "".join(lines_of(plain)[1:]) for marker in "●■▲◆")
    coloured = dots_of(drawn(chart(*curves)), GUTTER)
    assert coloured.sum() > dots.sum()


def test_new_points_change_only_few_cells():
    y = 0.4 + 2 * np.exp(-np.arange(2000) / 300)
    view = View()
    before, after = (chart(line(*y[:count])) for count in (1520, 1521))
    layout = Layout(60, 12)
    first = plotted(before, view, layout)
    second = plotted(after, view, layout, before=first.scale)
    old, new = framed(first, before, view), framed(second, after, view)
    changed = list(new.changed(old))
    assert sum(width for row, _, width in changed if row > 0) <= 2
    assert list(old.changed(old)) == []
    assert len(list(new.changed(None))) == 12


def test_the_y_axis_stays_while_the_values_still_fill_it():
    layout = Layout(60, 12)
    wide = plotted(chart(line(0, 10)), View(), layout)
    narrower = plotted(chart(line(2, 8)), View(), layout, before=wide.scale)
    flat = plotted(chart(line(5, 6)), View(), layout, before=wide.scale)
    assert narrower.scale == wide.scale
    assert flat.scale != wide.scale


@pytest.mark.parametrize(
    ("data", "view", "words"),
    [
        (chart(), View(), "no data yet"),
        (chart(line()), View(), "no data yet"),
        (chart(line(np.nan, np.inf)), View(), "no data yet"),
        (chart(line(1, 2, 3)), View(x_min=50, x_max=60), "nothing in this part"),
        (chart(line(-1, -2, 0)), View(log_y=True), "no values above 0"),
    ],
)
def test_an_empty_plot_says_once_why_it_is_empty(data: ChartData, view: View, words: str):
    assert "".join(lines_of(drawn(data, view))).count(words) == 1


def test_a_single_point_is_a_marker():
    assert "●" in "".join(lines_of(drawn(chart(line(3.0))))[1:])


def test_a_constant_lies_in_the_middle_of_its_axis():
    frame = drawn(chart(line(*[1e-4] * 5)), size=(60, 12))
    rows = np.flatnonzero(dots_of(frame, GUTTER).any(axis=1))
    assert len(rows) == 1
    assert 12 < rows[0] < 28


def test_fixed_bounds_hold_unless_a_value_lies_beyond_them():
    layout = Layout(60, 12)
    inside = plotted(chart(line(0.4, 0.5), y_range=(0.0, 1.0)), View(), layout)
    beyond = plotted(chart(line(0.4, 1.5), y_range=(0.0, 1.0)), View(), layout)
    assert (inside.scale.low, inside.scale.high) == (0.0, 1.0)
    assert beyond.scale.high >= 1.5


def test_small_charts_lose_the_x_axis_then_the_labels_then_the_title():
    data = chart(line(1, 2, 3))
    assert "step" in lines_of(drawn(data, size=(40, 5)))[-1]
    assert "─" not in "".join(lines_of(drawn(data, size=(40, 4))))
    assert "┤" in "".join(lines_of(drawn(data, size=(24, 4))))
    assert "┤" not in "".join(lines_of(drawn(data, size=(23, 4))))
    assert "loss" in lines_of(drawn(data, size=(12, 3)))[0]
    assert "loss" not in "".join(lines_of(drawn(data, size=(12, 2))))


def test_the_cursor_is_a_line_beside_the_curve_with_its_place_on_the_axis():
    data = chart(line(*range(1, 101)), line(*range(101, 1, -1), label="b", slot=1))
    frame = drawn(data, View(cursor=25.0), (60, 14))
    rows = lines_of(frame)
    column = rows[-1].index("25")
    assert sum(row[column] == "│" or row[column + 1] == "│" for row in rows[1:-1]) >= 9
    assert "●" in "".join(rows[1:])
    assert "@ 25" in rows[0]
    assert "● train 25.0" in rows[0]
    assert "■ b 77.0" in rows[0]


def test_labels_of_the_x_axis_make_room_for_the_cursor():
    frame = drawn(chart(line(*range(1, 1501))), View(cursor=1_480.0), (60, 12))
    axis = lines_of(frame)[-1]
    assert "1,480" in axis
    assert "1,500" not in axis


def test_a_cursor_outside_of_what_is_seen_draws_nothing():
    data = chart(line(*range(1, 101)))
    without = lines_of(drawn(data, View(x_min=10, x_max=20)))[1:]
    assert lines_of(drawn(data, View(x_min=10, x_max=20, cursor=50.0)))[1:] == without


def test_marks_never_hide_a_curve():
    curve = line(*np.random.default_rng(1).normal(0, 1, 500))
    marks = tuple(Mark(float(x), "checkpoint") for x in range(0, 500, 100))
    bare, marked = drawn(chart(curve)), drawn(chart(curve, marks=marks))
    curves = bare.roles >= Role.CURVE
    assert (marked.cells[curves] == bare.cells[curves]).all()
    assert (marked.roles == Role.CHECKPOINT).sum() > 5
    assert "▼" in "".join(lines_of(marked))
    assert "┊" in "".join(lines_of(marked))


def test_many_marks_become_few_glyphs_without_lines():
    curve = line(*np.linspace(3, 1, 1000))
    marks = tuple(Mark(float(x), "evaluation") for x in range(1, 1001))
    text = "".join(lines_of(drawn(chart(curve, marks=marks))))
    assert "┊" not in text
    assert 5 < text.count("◇") <= 20


def test_the_gravest_of_the_marks_at_one_place_is_seen():
    curve = line(*np.linspace(3, 1, 100))
    marks = (Mark(60, "evaluation"), Mark(60, "non_finite"), Mark(60, "checkpoint"))
    text = "".join(lines_of(drawn(chart(curve, marks=marks))))
    assert "✗" in text
    assert "▼" not in text


def test_crowded_points_do_not_cover_a_line():
    data = chart(
        line(*np.linspace(3, 1, 500)),
        line(*np.linspace(3, 1, 500), label="validation", style="points", slot=1),
    )
    roles = drawn(data).roles
    assert (roles == Role.CURVE).sum() > 35
    assert (roles == Role.CURVE + 1).sum() <= 14
