import time
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qvl_tui.charts.data import View, XAxis
from qvl_tui.charts.ticks import log_ticks, nice_step, short, x_label, x_ticks, y_ticks
from tests.qvl_tui.charts.curves import AXES, chart, drawn, line, lines_of

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


@pytest.fixture(autouse=True)
def _in_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("least", "step"), [(0.3, 0.5), (1, 1), (1.1, 2), (2.1, 5), (6, 10), (3e-5, 5e-5), (0.2, 0.2)]
)
def test_steps_are_one_two_and_five(least: float, step: float):
    assert nice_step(least) == step


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"),
        (0.4, 0.43, "0.40 0.41 0.42 0.43"),
        (0, 2e-4, "0 5e-5 1e-4 1.5e-4 2e-4"),
        (-3, 3, "-2 0 2"),
        (0, 5_000, "0|1,000|2,000|3,000|4,000|5,000"),
        (0, 12_345, "0|5 k|10 k"),
        (0, 80e9, "0|20 G|40 G|60 G|80 G"),
        (0, 1e300, "0 2e299 4e299 6e299 8e299 1e300"),
    ],
)
def test_labels_have_the_decimals_of_their_step_and_short_thousands(
    low: float, high: float, labels: str
):
    wanted = labels.split("|" if "|" in labels else " ")
    assert [tick.label for tick in y_ticks(low, high, 5)] == wanted


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.001, 1000, "0.001 0.1 10 1,000"),
        (0.3, 3, "0.5 1 2"),
        (0.41, 0.48, "0.42 0.44 0.46 0.48"),
    ],
)
def test_a_logarithmic_axis_has_decades_or_one_two_and_five(low: float, high: float, labels: str):
    assert [tick.label for tick in log_ticks(low, high, 4)] == labels.split()


@pytest.mark.parametrize(
    ("axis", "low", "high", "labels"),
    [
        ("step", 0, 1_600, "0|500|1,000|1,500"),
        ("step", 0, 5, "0|1|2|3|4|5"),
        ("samples", 0, 160_000, "0|50 k|100 k|150 k"),
        ("target_tokens", 0, 3.3e9, "0|0.5 G|1.0 G|1.5 G|2.0 G|2.5 G|3.0 G"),
        ("step", 99_990, 100_010, "99,990|99,995|100,000|100,005|100,010"),
        ("epoch", 0, 3, "0.0|0.5|1.0|1.5|2.0|2.5|3.0"),
        ("elapsed", 0, 3_700, "0 s|10 m|20 m|30 m|40 m|50 m|1 h"),
        ("elapsed", 0, 12_000, "0 s|30 m|1 h|1 h 30 m|2 h|2 h 30 m|3 h"),
        ("elapsed", 0, 400_000, "0 s|1 d|2 d|3 d|4 d"),
        ("clock", NOON, NOON + 3_700, "12:00|12:10|12:20|12:30|12:40|12:50|13:00"),
        ("clock", NOON, NOON + 20, "12:00:00|12:00:05|12:00:10|12:00:15|12:00:20"),
    ],
)
def test_each_axis_has_its_own_round_places(axis: XAxis, low: float, high: float, labels: str):
    width = 100 if "1 h 30 m" in labels else 62
    assert [tick.label for tick in x_ticks(low, high, axis, width)] == labels.split("|")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_the_clock_has_the_round_hours_of_where_one_is(zone: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    labels = [tick.label for tick in x_ticks(NOON, NOON + 40_000, "clock", 60)]
    assert len(labels) > 3
    assert all(label.endswith(":00") for label in labels)


@given(
    st.floats(-1e9, 1e12),
    st.floats(1e-3, 1e12),
    st.sampled_from(AXES),
    st.integers(1, 200),
)
def test_labels_of_the_x_axis_never_touch(low: float, span: float, axis: XAxis, width: int):
    assume(span > abs(low) * 1e-12)  # else floats cannot tell its ends apart from what lies between
    ticks = x_ticks(low, low + span, axis, width)
    cells = [(tick.value - low) / span * width for tick in ticks]
    for left, right, at, after in zip(ticks, ticks[1:], cells, cells[1:], strict=False):
        assert after - at > (len(left.label) + len(right.label)) / 2 + 1
    assert all(low - span * 1e-6 <= tick.value <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12), st.integers(1, 20))
def test_no_label_of_the_y_axis_is_there_twice(low: float, span: float, most: int):
    labels = [tick.label for tick in y_ticks(low, low + span, most)]
    assert len(set(labels)) == len(labels) <= most + 1


def test_ticks_of_the_y_axis_are_aligned_at_the_axis():
    rows = lines_of(drawn(chart(line(0, 1_234.0)), View(), (60, 14)))
    ends = {row.index("┤") for row in rows if "┤" in row}
    assert len(ends) == 1
    assert all(row[: ends.copy().pop()].endswith(("0", " ")) for row in rows[1:-1])


@pytest.mark.parametrize(
    ("x", "axis", "text"),
    [
        (1_400, "step", "1,400"),
        (1.234, "epoch", "1.23"),
        (3_723, "elapsed", "1 h 2 m"),
        (NOON, "clock", "12:00:00"),
    ],
)
def test_a_place_is_read_in_the_words_of_its_axis(x: float, axis: XAxis, text: str):
    assert x_label(x, axis) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1_500, "1,500"), (15_000, "15 k"), (2.5e6, "2.5 M"), (1.6e-4, "1.6e-4")],
)
def test_values_are_written_short(value: float, text: str):
    assert short(value) == text
