"""Where on the x-axis the numbers of a run lie."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.charts.album import Album
from qvl_tui.charts.axes import X_AXES
from qvl_tui.charts.data import ChartData, XAxis
from qvl_tui.feed import Feed
from tests.qvl_tui.charts.states import RECIPE, curve, evaluation_at, shown, state_of, steps_of
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.recorded_events import EPOCHS, STEP_SECONDS, step_event
from trainer.run.events import (
    AnyEvent,
    NonFinite,
    Resumed,
    Telemetry,
)
from trainer.run.state import RunState

STEPS_PER_EPOCH = RECIPE.total / EPOCHS


def test_every_axis_says_where_a_step_lies():
    state = state_of(steps_of(400, samples=4, target_tokens=300))
    ends = {axis: shown(state, "loss", axis).curves[0].x[[0, -1]].tolist() for axis in X_AXES}
    assert ends == {
        "step": [1, 400],
        "epoch": [1 / STEPS_PER_EPOCH, 400 / STEPS_PER_EPOCH],
        "samples": [4, 1600],
        "target_tokens": [300, 120_000],
        "elapsed": pytest.approx([STEP_SECONDS, 400 * STEP_SECONDS]),
        "clock": pytest.approx([1000 + STEP_SECONDS, 1000 + 400 * STEP_SECONDS]),
    }


def test_an_evaluation_lies_where_its_step_does_and_before_the_first_step_at_0():
    events = [evaluation_at(0, 3.0, time=990.0), *steps_of(10), evaluation_at(10, 1.0, time=1100.0)]
    state = state_of(events)
    lasts: dict[XAxis, float] = {"epoch": 10 / STEPS_PER_EPOCH, "samples": 40.0}
    for axis, last in lasts.items():
        assert curve(shown(state, "loss", axis), "validation").x.tolist() == [0.0, last]
    assert curve(shown(state, "loss", "clock"), "validation").x.tolist() == [990.0, 1100.0]


def test_the_pause_between_two_attempts_is_no_training_time_but_the_clock_shows_it():
    first = steps_of(10)
    later = [
        replace(step, step=step.step + 10, time=step.time + 36_000, attempt=2) for step in first
    ]
    state = state_of([*first, Resumed(step=10, attempt=2), *later])
    elapsed, clock = (shown(state, "loss", axis).curves[0].x for axis in ("elapsed", "clock"))
    assert elapsed[-1] == pytest.approx(20 * STEP_SECONDS)
    assert clock[-1] - clock[0] > 36_000


def test_time_spent_between_steps_on_evaluation_is_training_time():
    steps = steps_of(10)
    late = [replace(it, time=it.time + (60 if it.step > 5 else 0)) for it in steps]
    assert shown(state_of(late), "loss", "elapsed").curves[0].x[-1] == pytest.approx(
        10 * STEP_SECONDS + 60
    )


def test_a_clock_that_was_set_back_does_not_make_an_axis_go_back():
    steps = steps_of(20)
    state = state_of([replace(it, time=it.time - (3600 if it.step > 10 else 0)) for it in steps])
    for axis in ("clock", "elapsed"):
        assert (np.diff(shown(state, "loss", axis).curves[0].x) >= 0).all()
    assert shown(state, "loss", "elapsed").curves[0].x[-1] == pytest.approx(20 * STEP_SECONDS)


def test_samples_of_the_machine_lie_between_the_steps_during_which_they_were_taken():
    samples = [Telemetry(cpu_share=0.5, time=990.0 + second, attempt=1) for second in range(60)]
    state = state_of([*steps_of(10), *samples])
    x = shown(state, "cpu_load", "step").curves[0].x
    assert 1.0 <= x[0] < 1.5
    assert 9.5 < x[-1] <= 10.0
    assert np.diff(x) == pytest.approx(np.full(len(x) - 1, 1 / STEP_SECONDS))
    assert len(shown(state, "cpu_load", "clock").curves[0].x) == 60


def test_all_charts_of_a_run_share_one_range(tmp_path: Path):
    album = Album([Feed.of(record_run(tmp_path, "shapes")).state])
    for axis in X_AXES:
        ranges = {album.data(key, axis, 0.9).x_range for key in album.titles}
        assert ranges == {album.bounds(axis)}


@pytest.mark.parametrize("axis", X_AXES)
def test_a_place_keeps_its_step_when_the_axis_is_turned(axis: XAxis):
    album = Album([state_of(steps_of(300))])
    for step in (1, 17, 300):
        x = album.place(step, axis)
        assert x is not None
        assert album.carried(x, axis, "step") == step


TIMES = st.floats(-1e6, 3e9) | st.sampled_from([1e12, -1e300, 1e300])
NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)
COUNTS = st.integers(-5, 10**18)


@st.composite
def any_events(draw: st.DrawFn) -> AnyEvent:
    step, time, attempt = draw(st.integers(-3, 60)), draw(TIMES), draw(st.integers(0, 3))
    match draw(st.integers(0, 5)):
        case 0:
            return Resumed(step=step, time=time, attempt=attempt)
        case 1:
            return replace(evaluation_at(step, 0.0, time), loss=draw(NUMBERS), attempt=attempt)
        case 2:
            return Telemetry(cpu_share=draw(NUMBERS), time=time, attempt=attempt)
        case 3:
            return NonFinite(step=step, what="loss", in_a_row=1, time=time, attempt=attempt)
        case _:
            return replace(
                step_event(1, RECIPE),
                step=step,
                time=time,
                attempt=attempt,
                epoch=draw(NUMBERS),  # type: ignore[arg-type]
                loss=draw(NUMBERS),
                samples=draw(COUNTS),
                target_tokens=draw(COUNTS),
                seconds=draw(NUMBERS),  # type: ignore[arg-type]
                further=draw(st.dictionaries(st.text(max_size=3), NUMBERS, max_size=1)),
            )


def check(data: ChartData) -> None:
    for it in data.curves:
        assert len(it.x) == len(it.y)
        assert np.isfinite(it.x).all()
        assert (np.diff(it.x) >= 0).all()
        assert not np.isinf(it.y).any()
    assert all(math.isfinite(mark.x) for mark in data.marks)
    assert list(data.marks) == sorted(data.marks, key=lambda mark: mark.x)


@given(
    st.lists(any_events(), max_size=30), st.sampled_from(X_AXES), st.sampled_from([0.0, 0.6, 0.99])
)
def test_whatever_a_run_holds_every_x_ascends_beside_its_y(
    events: list[AnyEvent], axis: XAxis, smoothing: float
):
    state = state_of(events)
    album, both = Album([state]), Album([state, RunState()], ["a", "b"])
    for key in album.titles:
        check(album.data(key, axis, smoothing))
    for key in both.titles:
        check(both.data(key, axis, smoothing))
    album.place(10, axis)
    album.carried(3.0, "step", axis)
