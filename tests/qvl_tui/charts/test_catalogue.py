"""Which charts a run has, and what is in them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qvl_tui.charts.album import Album
from qvl_tui.charts.axes import Snapshot
from qvl_tui.charts.catalogue import (
    chart_data,
    chart_titles,
    compared_chart_data,
    compared_chart_titles,
)
from qvl_tui.feed import Feed
from tests.qvl_tui.charts.states import RECIPE, curve, evaluation_at, shown, state_of, steps_of
from tests.qvl_tui.recorded import record_run, step_event
from trainer.run.events import (
    Alert,
    CheckpointPublished,
    CheckpointRejected,
    GpuSample,
    NonFinite,
    Resumed,
    Telemetry,
)
from trainer.run.state import RunState

# --- which charts -----------------------------------------------------------------------------


def test_the_charts_come_in_a_fixed_order_loss_first(tmp_path: Path):
    state = Feed.of(record_run(tmp_path, "shapes")).state
    keys = list(chart_titles(state))
    assert keys[:8] == [
        "loss",
        "token_accuracy",
        "gradient_norm",
        "learning_rate",
        "entropy",
        "throughput",
        "step_time",
        "mfu",
    ]
    assert keys.index("gpu_load") < keys.index("padding") < keys.index("disk_free")


def test_a_chart_without_a_known_value_is_left_out():
    state = state_of(steps_of(3, mfu=None, gradient_norm=None))
    assert {"mfu", "gradient_norm", "gpu_load"}.isdisjoint(chart_titles(state))


def test_a_chart_whose_newest_value_is_unknown_is_shown():
    state = state_of([*steps_of(3), replace(step_event(4, RECIPE), mfu=None, attempt=1)])
    assert "mfu" in chart_titles(state)


def test_a_run_that_only_begins_has_no_charts():
    assert list(chart_titles(RunState())) == []
    assert Album([RunState()]).bounds("step") is None
    assert Album([RunState()]).place(3, "epoch") is None


def test_a_number_this_version_does_not_know_gets_a_chart_of_its_own_at_the_end():
    state = state_of(steps_of(3, further={"router_[bold]z\x1b[31mloss": 0.5, "abc": None}))
    assert list(chart_titles(state))[-1] == "further.router_[bold]z\x1b[31mloss"
    data = shown(state, list(chart_titles(state))[-1])
    assert data.title == "router [bold]zloss"
    assert data.curves[0].y.tolist() == [0.5, 0.5, 0.5]


def test_a_further_number_with_the_name_of_a_chart_does_not_take_its_place():
    state = state_of(steps_of(3, further={"throughput": 7.0}))
    assert shown(state, "throughput").title == "throughput"
    assert shown(state, "further.throughput").curves[0].y[0] == 7.0


# --- what is in them --------------------------------------------------------------------------


def test_the_loss_carries_raw_smoothed_and_validation(tmp_path: Path):
    state = Feed.of(record_run(tmp_path, "shapes")).state
    data = shown(state, "loss", smoothing=0.9)
    assert [(it.label, it.style, it.slot) for it in data.curves] == [
        ("train raw", "ghost", 0),
        ("train", "line", 0),
        ("validation", "points", 1),
    ]
    raw, smoothed, validation = data.curves
    assert raw.y.tolist() == list(state.steps["loss"])
    assert np.std(np.diff(smoothed.y)) < np.std(np.diff(raw.y)) / 3
    assert validation.x.tolist() == list(range(50, 401, 50))


def test_a_raw_curve_takes_no_memory_and_stays_as_it_was_while_the_run_goes_on():
    steps = steps_of(500)
    state = state_of(steps)
    seen = shown(state, "loss").curves[0]
    before = seen.y.tolist()
    assert np.shares_memory(seen.y, np.asarray(state.steps["loss"]))
    for step in steps[250:]:  # an attempt makes them anew, and they make room for themselves
        state.apply(replace(step, loss=77.0))
    assert seen.y.tolist() == before
    assert state.steps["loss"][400] == 77.0


def test_an_album_keeps_only_the_charts_that_are_seen():
    album = Album([state_of(steps_of(5))])
    loss, rates = (album.data(key, "step", 0.9) for key in ("loss", "learning_rate"))
    album.keep(["loss"], "step", 0.9)
    assert album.data("loss", "step", 0.9) is loss
    assert album.data("learning_rate", "step", 0.9) is not rates


def test_without_smoothing_nothing_lies_behind():
    data = shown(state_of(steps_of(5)), "loss")
    assert [(it.label, it.style) for it in data.curves] == [
        ("train", "line"),
        ("validation", "points"),
    ]


def test_learning_rates_are_never_smoothed_and_have_a_curve_per_part():
    rates = {"language": 1e-4, "vision": 1e-5, "aligner": 2e-5}
    data = shown(state_of(steps_of(5, learning_rates=rates)), "learning_rate", smoothing=0.99)
    assert [it.label for it in data.curves] == ["vision", "aligner", "language"]
    assert [it.slot for it in data.curves] == [0, 1, 2]
    assert curve(data, "language").y.tolist() == [1e-4] * 5


def test_every_gpu_has_its_curve_in_numeric_order_and_memory_is_shown_against_what_there_is():
    gpus = tuple(
        GpuSample(
            index=index,
            uuid="",
            name="",
            utilization=0.5,
            memory_used_bytes=index * 10**9,
            memory_total_bytes=12 * 10**9,
        )
        for index in (10, 9, 2)
    )
    samples = [Telemetry(gpus=gpus, time=1000.0 + second, attempt=1) for second in range(20)]
    state = state_of([*steps_of(5), *samples])
    load, memory = shown(state, "gpu_load", "clock"), shown(state, "gpu_memory", "clock")
    assert [it.label for it in load.curves] == ["GPU2", "GPU9", "GPU10"]
    assert (load.unit, load.y_range) == ("%", (0.0, 100.0))
    assert curve(load, "GPU9").y.tolist() == [50.0] * 20
    assert memory.y_range == pytest.approx((0.0, 12.0))
    assert curve(memory, "GPU10").y[0] == pytest.approx(10.0)


def test_the_parts_of_a_step_are_curves_of_one_chart():
    data = shown(state_of(steps_of(5)), "step_time", smoothing=0.9)
    assert [(it.label, it.style) for it in data.curves] == [
        ("step", "line"),
        ("forward+backward", "line"),
        ("data", "line"),
        ("optimizer", "line"),
    ]
    assert curve(data, "data").y[-1] == pytest.approx(0.05)


def test_marks_say_what_happened_in_order_of_their_place():
    state = state_of(
        [
            *steps_of(30),
            CheckpointPublished(
                step=20, path="a", bytes=1, seconds=1, reason="schedule", best=True, attempt=1
            ),
            CheckpointRejected(step=10, path="b", reason="torn", attempt=1),
            NonFinite(step=7, what="loss", in_a_row=1, attempt=1),
            Alert(
                rule="r",
                severity="bad",
                step=25,
                value=None,
                message="hot\x1b[31m",
                advice="",
                attempt=1,
            ),
            evaluation_at(15, 0.5),
            Resumed(step=30, checkpoint="step-30", attempt=1),
        ]
    )
    found = [(mark.x, mark.kind, mark.label) for mark in shown(state, "gradient_norm").marks]
    assert found == [
        (7.0, "non_finite", "loss not finite at 7"),
        (15.0, "evaluation", "evaluation 15"),
        (20.0, "checkpoint", "checkpoint 20, best"),
        (25.0, "alert", "hot"),
        (30.0, "resume", "resumed at 30"),
    ]
    assert "evaluation" not in {mark.kind for mark in shown(state, "loss").marks}


def test_a_value_that_is_not_finite_counts_as_unknown():
    first, second = steps_of(2)
    data = shown(state_of([replace(first, loss=math.inf), second]), "loss")
    assert np.isnan(data.curves[0].y).tolist() == [True, False]


def test_a_value_too_large_for_its_unit_counts_as_unknown():
    samples = [
        Telemetry(cpu_share=share, time=1000.0 + second, attempt=1)
        for second, share in enumerate((0.1, 1e306, 1e307, 0.5))
    ]
    data = shown(state_of(samples), "cpu_load", "clock")
    assert np.isnan(data.curves[0].y).tolist() == [False, False, True, False]


def test_what_happened_before_any_step_has_no_place_among_epochs_but_one_on_the_clock():
    samples = [Telemetry(cpu_share=0.5, time=1000.0 + second, attempt=1) for second in range(9)]
    failure = NonFinite(step=0, what="loss", in_a_row=1, time=1004.0, attempt=1)
    state = state_of([*samples, failure])
    assert shown(state, "cpu_load", "epoch").marks == ()
    assert [mark.x for mark in shown(state, "cpu_load", "clock").marks] == [1004.0]


def test_a_snapshot_leaves_the_run_free_to_grow():
    state = state_of(steps_of(5))
    snapshot = Snapshot(state)
    before = chart_data(snapshot, "loss", "elapsed", 0.9)
    state.apply(replace(step_event(6, RECIPE), attempt=1))
    assert len(state.steps) == 6
    assert len(before.curves[0].x) == 5


# --- several runs -----------------------------------------------------------------------------


def test_compared_runs_keep_their_slot_in_every_chart_and_have_no_ghosts():
    plain, with_parts = (
        state_of(steps_of(10, mfu=None)),
        state_of(steps_of(10, learning_rates={"language": 1.0, "vision": 2.0})),
    )
    snapshots = [Snapshot(plain), Snapshot(with_parts)]
    loss = compared_chart_data(snapshots, ["a", "b"], "loss", "step", 0.9)
    assert [(it.label, it.slot, it.style) for it in loss.curves] == [
        ("a", 0, "line"),
        ("b", 1, "line"),
    ]
    rates = compared_chart_data(snapshots, ["a", "b"], "learning_rate", "step", 0.9)
    assert [(it.label, it.slot) for it in rates.curves] == [
        ("a language", 0),
        ("b vision", 1),
        ("b language", 1),
    ]
    assert "mfu" in compared_chart_titles([plain, with_parts])
    assert "mfu" not in compared_chart_titles([plain])


def test_validation_is_compared_in_charts_of_its_own():
    states = [state_of([*steps_of(10), evaluation_at(10, 0.5)]), state_of(steps_of(10))]
    titles = compared_chart_titles(states)
    assert list(titles)[:2] == ["loss", "validation_loss"]
    data = Album(states, ["a", "b"]).data("validation_loss", "step", 0.9)
    assert [it.y.tolist() for it in data.curves] == [[0.5], []]


def test_runs_are_not_compared_by_the_clock():
    assert "clock" in Album([RunState()]).x_axes
    assert "clock" not in Album([RunState()], ["a"]).x_axes


def test_data_is_made_once():
    album = Album([state_of(steps_of(10))])
    assert album.data("loss", "step", 0.9) is album.data("loss", "step", 0.9)
    assert album.data("loss", "step", 0.9) is not album.data("loss", "epoch", 0.9)
