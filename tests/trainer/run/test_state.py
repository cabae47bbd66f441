import math
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.run.building import (
    attempt_started,
    evaluation,
    phase,
    planned,
    published,
    step,
    supervisor,
)
from tests.trainer.run.strategies import any_event
from trainer.run.events import (
    Alert,
    AnyEvent,
    CheckpointFailed,
    CheckpointPruned,
    CheckpointRejected,
    CommandDone,
    CommandReceived,
    Exit,
    GpuSample,
    NonFinite,
    RecordSkipped,
    Resumed,
    SamplePrediction,
    Stalled,
    Telemetry,
)
from trainer.run.series import Table
from trainer.run.state import RunState


def state_of(*events: AnyEvent) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def test_steps_become_series_and_what_is_unknown_is_nan():
    state = state_of(step(1, loss=2.5), step(2, loss=None, learning_rates={"vision": 1e-5}))
    assert list(state.steps["step"]) == [1, 2]
    assert state.steps["loss"][0] == 2.5
    assert math.isnan(state.steps["loss"][1])
    assert math.isnan(state.steps["learning_rate.vision"][0])
    assert state.steps["learning_rate.vision"][1] == 1e-5
    assert math.isnan(state.steps["learning_rate.language"][1])
    assert len(state.steps["never seen"]) == 0
    assert (state.step, state.epoch) == (2, 0.2)


def sample(number: int, attempt: int = 1) -> SamplePrediction:
    return SamplePrediction(
        step=number, attempt=attempt, file="v", line=1, prompt="p", truth="t", answer="a"
    )


def test_a_resume_drops_what_earlier_attempts_did_after_its_step_and_keeps_their_alerts():
    alert = Alert(rule="r", severity="bad", step=3, value=None, message="m", advice="a", attempt=1)
    state = state_of(
        *[step(n) for n in (1, 2, 3)],
        *[evaluation(2, loss=1.0, best=True), evaluation(3, loss=0.5, best=True)],
        *[sample(2), sample(3), NonFinite(step=3, what="loss", in_a_row=1), alert],
        Resumed(step=2, checkpoint="step-00000002", attempt=2),
    )
    assert list(state.steps["step"]) == [1, 2]
    assert [e.step for e in state.evaluation_events] == [2]
    assert list(state.evaluations["loss"]) == [1.0]
    assert state.best_evaluation == evaluation(2, loss=1.0, best=True)
    assert [s.step for s in state.samples] == [2]
    assert not state.non_finite
    assert [a.attempt for a in state.alerts] == [1]
    assert state.step == 2
    assert state.last_step is None


ATTEMPTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8)), min_size=1, max_size=6)


@given(ATTEMPTS)
def test_after_any_resumes_the_series_are_those_of_a_run_never_interrupted(
    attempts: list[tuple[int, int]],
):
    state = RunState()
    done, expected = 0, dict[int, int]()
    for number, (back_to, steps) in enumerate(attempts, start=1):
        begin = min(back_to, done)
        state.apply(Resumed(step=begin, attempt=number))
        expected = {s: a for s, a in expected.items() if s <= begin}
        for s in range(begin + 1, begin + 1 + steps):
            state.apply(step(s, attempt=number, loss=float(number)))
            expected[s] = number
        done = begin + steps
    assert list(state.steps["step"]) == list(expected)
    assert list(state.steps["loss"]) == list(expected.values())
    assert {len(column) for column in state.steps.columns.values()} == {len(expected)}
    assert state.step == done


def test_a_step_that_comes_again_replaces_it_and_what_follows_even_without_a_resume_event():
    state = state_of(*[step(n, loss=1.0) for n in (1, 2, 3)], step(2, attempt=2, loss=9.0))
    assert list(state.steps["loss"]) == [1.0, 9.0]


TRAINER: list[AnyEvent] = [
    attempt_started(1),
    phase("train"),
    step(1),
    step(2),
    attempt_started(2),
    Resumed(step=1, attempt=2),
    phase("train", attempt=2),
    step(2, attempt=2, loss=7.0),
    CommandDone(id="b", command="stop", step=2, attempt=2),
]
MONITOR: list[AnyEvent] = [
    supervisor(1),
    Stalled(stalled=True, silent_seconds=400, limit_seconds=300, attempt=1),
    Exit(state="crashed", code=1, attempt=1),
    supervisor(2),
    CommandReceived(id="b", command="stop", accepted=True, attempt=2),
]


def comparable(state: RunState) -> dict[str, object]:
    """Return the fields of a state; series as bytes, because NaN is not equal to itself."""
    return {
        name: {column: values.view().tobytes() for column, values in value.columns.items()}
        if isinstance(value, Table)
        else value
        for name, value in vars(state).items()
    }


@given(st.lists(st.booleans(), min_size=14, max_size=14))
def test_the_order_in_which_the_two_files_are_read_does_not_matter(from_monitor: list[bool]):
    trainer, monitor = list(TRAINER), list(MONITOR)
    state = RunState()
    for first in from_monitor:
        state.apply((monitor if (first and monitor) or not trainer else trainer).pop(0))
    assert not trainer
    assert not monitor
    assert comparable(state) == comparable(state_of(*chain(TRAINER, MONITOR)))
    assert state.current.exit is None
    assert state.current.stalled is None
    assert state.current.commands["b"].done


def test_the_phase_is_the_innermost_one_of_the_newest_attempt():
    state = state_of(phase("train"), phase("evaluate"))
    assert state.phase == phase("evaluate")
    state.apply(phase("evaluate", "finished"))
    assert state.phase == phase("train")
    state.apply(attempt_started(2))
    assert state.phase is None


def test_checkpoints_are_known_with_what_became_of_them():
    state = state_of(
        published(10, best=True),
        published(20, best=True, validation_loss=0.4),
        published(30, bytes=5),
        CheckpointPruned(step=10, path="checkpoints/step-00000010"),
        CheckpointRejected(step=30, path="checkpoints/rejected-30", reason="damaged"),
    )
    assert [(c.step, c.status, c.best) for c in state.checkpoints.values()] == [
        (10, "pruned", False),
        (20, "published", True),
        (30, "rejected", False),
    ]
    assert [c.step for c in state.kept_checkpoints] == [20]
    assert state.checkpoints[30].reason == "damaged"
    assert state.mean_save_seconds == 2.0


def test_a_failed_checkpoint_is_known_until_one_succeeds():
    state = state_of(CheckpointFailed(step=5, reason="disk full"))
    assert state.checkpoint_failure
    state.apply(published(6))
    assert state.checkpoint_failure is None


def test_a_record_that_is_skipped_in_every_epoch_counts_once():
    skipped = [
        RecordSkipped(split="train", file="t", line=line, offset=0, reason="bad", step=s)
        for s, line in enumerate([3, 7, 3])
    ]
    state = state_of(*skipped)
    assert state.skipped_count == 2
    assert [record.line for record in state.skipped] == [3, 7]


def test_the_remaining_time_follows_the_recent_pace():
    state = RunState()
    assert state.remaining_seconds is None
    state.apply(planned(total_steps=200))
    assert state.remaining_seconds is None
    for n in range(1, 151):
        state.apply(step(n, seconds=9.0 if n <= 100 else 2.0))
    assert state.remaining_seconds == pytest.approx(50 * 2.0)
    assert state.median_step_seconds == 9.0
    state.apply(Exit(state="stopped", code=3, attempt=1))
    assert state.remaining_seconds is None


def test_telemetry_becomes_series_by_gpu_even_when_the_clock_goes_back():
    def sample_at(time: float) -> Telemetry:
        gpu = GpuSample(index=1, uuid="u", name="n", utilization=0.5)
        return Telemetry(gpus=(gpu,), cpu_share=0.25, time=time)

    state = state_of(sample_at(10.0), sample_at(5.0))
    assert list(state.telemetry["time"]) == [10.0, 5.0]
    assert list(state.telemetry["gpu1.utilization"]) == [0.5, 0.5]
    assert math.isnan(state.telemetry["gpu1.power_watts"][0])


@given(st.lists(any_event(), max_size=20))
def test_no_stream_of_events_makes_the_state_raise(events: list[AnyEvent]):
    state = state_of(*events)
    assert state.attempt == max([0, *[event.attempt for event in events]])
    for table in (state.steps, state.evaluations, state.telemetry):
        assert len({len(column) for column in table.columns.values()}) == 1
        keys = list(table[table.key])
        assert keys == sorted(set(keys))
