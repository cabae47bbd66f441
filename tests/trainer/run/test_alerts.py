from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.run.building import attempt_started, evaluation, planned, published, step
from tests.trainer.run.strategies import any_event
from trainer.run.alerts import REARM_SECONDS, evaluate_rules, from_now_on
from trainer.run.events import (
    AnyEvent,
    CheckpointFailed,
    GpuSample,
    NonFinite,
    Resumed,
    Stalled,
    Telemetry,
)
from trainer.run.rules import RULES, AlertMemory
from trainer.run.state import RunState


def telemetry(at: float, disk_free_bytes: int = 10**12, **gpu: Any) -> Telemetry:
    sample = GpuSample(index=0, uuid="u", name="n", memory_total_bytes=100, **gpu)
    return Telemetry(time=at, gpus=(sample,), disk_free_bytes=disk_free_bytes, attempt=1)


def steps(first: int, last: int, **numbers: Any) -> list[AnyEvent]:
    return [step(n, **numbers) for n in range(first, last + 1)]


def samples(count: int, **numbers: Any) -> list[AnyEvent]:
    return [telemetry(2000.0 + n, **numbers) for n in range(count)]


def rules_fired(*events: AnyEvent) -> list[str]:
    state = RunState()
    for event in events:
        state.apply(event)
    return [alert.rule for alert in evaluate_rules(state, AlertMemory(), 0.0)]


NON_FINITE = NonFinite(step=21, what="loss", in_a_row=1, attempt=1)
SAVING: list[AnyEvent] = [
    replace(
        attempt_started(),
        config={"checkpoint": {"every_steps": 20, "keep_last": 3, "keep_best": False}},
    ),
    planned(total_steps=100),
]
CASES: dict[str, tuple[list[AnyEvent], list[AnyEvent]]] = {
    # rule: (events that fire it, events close by that do not)
    "non_finite": ([*steps(1, 20), NON_FINITE, step(21, loss=None)], steps(1, 21)),
    "gradient_norm_high": (
        [*steps(1, 20), *steps(21, 23, gradient_norm=11.0)],
        [*steps(1, 20), step(21, gradient_norm=50.0)],
    ),
    "gradient_norm_low": (
        steps(1, 5, gradient_norm=0.0005),
        [*steps(1, 4, gradient_norm=0.0005), step(5)],
    ),
    "loss_flat": (steps(1, 100, loss=2.0), steps(1, 99, loss=2.0)),
    "loss_spike": ([*steps(1, 60, loss=1.0), step(61, loss=2.5)], steps(1, 61, loss=1.0)),
    "periodic_spikes": (
        [step(n, loss=5.0 if n in (60, 70, 80) else 1.0) for n in range(1, 91)],
        [step(n, loss=5.0 if n in (60, 70) else 1.0) for n in range(1, 91)],
    ),
    "learning_rate_zero": (
        steps(1, 3, learning_rates={"language": 1e-4, "vision": 0.0}),
        [step(1, learning_rates={"language": 0.0}), *steps(2, 4)],
    ),
    "data_starving": (
        steps(1, 30, data_seconds=0.4),
        [*steps(1, 5, seconds=90.0, data_seconds=89.0), *steps(6, 30, data_seconds=0.2)],
    ),
    "overfitting": (
        [evaluation(n, loss=1.0 + n / 100) for n in (1, 2, 3, 4)],
        [evaluation(n, loss=loss) for n, loss in ((1, 1.0), (2, 1.1), (3, 1.05), (4, 1.2))],
    ),
    "validation_never": (
        [planned(validation_records=5), *steps(1, 11)],
        [planned(validation_records=5), *steps(1, 10), evaluation(10), step(11)],
    ),
    "checkpoint_failed": (
        [CheckpointFailed(step=5, reason="no room", attempt=1)],
        [CheckpointFailed(step=5, reason="no room", attempt=1), published(6)],
    ),
    "throttling": (
        samples(30, throttle_reasons=("thermal (software)",)),
        samples(29, throttle_reasons=("thermal (software)",)),
    ),
    "power_capped": (
        samples(300, throttle_reasons=("power cap",)),
        [*samples(70), *samples(230, throttle_reasons=("power cap",))],
    ),
    "gpu_lost": (samples(1, lost=True), [*samples(1, lost=True), *samples(1)]),
    "gpu_memory_full": (
        samples(3, memory_used_bytes=98),
        [*samples(1, memory_used_bytes=90), *samples(2, memory_used_bytes=98)],
    ),
    "disk_nearly_full": (
        [published(1, bytes=3 * 10**9), *samples(1, disk_free_bytes=5 * 10**9)],
        [published(1, bytes=10**9), *samples(1, disk_free_bytes=5 * 10**9)],
    ),
    "disk_will_be_full": (
        [*SAVING, published(20, bytes=3 * 10**9), *samples(1, disk_free_bytes=8 * 10**9)],
        [*SAVING, published(20, bytes=3 * 10**9), *samples(1, disk_free_bytes=10 * 10**9)],
    ),
    "stalled": (
        [Stalled(stalled=True, silent_seconds=400, limit_seconds=300, attempt=1)],
        [
            Stalled(stalled=True, silent_seconds=400, limit_seconds=300, attempt=1),
            Stalled(stalled=False, silent_seconds=0, limit_seconds=300, attempt=1),
        ],
    ),
}


def test_every_rule_has_a_case():
    assert set(CASES) == {name for name, _, _ in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_fires_on_its_trouble(rule: str):
    assert rule in rules_fired(*CASES[rule][0])


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_keeps_still_just_short_of_its_trouble(rule: str):
    assert rule not in rules_fired(*CASES[rule][1])


def test_a_healthy_run_has_no_alert_at_any_step():
    state, memory = RunState(), AlertMemory()
    state.apply(planned(total_steps=300))
    for n in range(1, 301):
        state.apply(step(n))
        state.apply(telemetry(1000.0 + n, memory_used_bytes=80))
        assert evaluate_rules(state, memory, n) == []


def test_a_rule_fires_once_while_its_trouble_lasts_however_long_a_step_takes():
    state, memory = RunState(), AlertMemory()
    fired = []
    for n in range(1, 30):
        state.apply(step(n, gradient_norm=20.0, time=1000.0 + 200 * n))
        fired += evaluate_rules(state, memory, 200 * n)
    assert [alert.rule for alert in fired] == ["gradient_norm_high"]
    assert fired[0].step == 21  # the first 20 steps may have large gradients
    assert fired[0].advice


def test_a_rule_fires_again_after_it_was_clear_for_a_minute_and_not_before():
    def fired(clear_seconds: float) -> int:
        state, memory = RunState(), AlertMemory()
        full = [telemetry(100.0 + n, memory_used_bytes=99) for n in range(3)]
        again = [replace(full[0], time=103.0 + clear_seconds + n / 10) for n in (1, 2, 3)]
        clear = [telemetry(at, memory_used_bytes=9) for at in (103.0, 103.0 + clear_seconds)]
        count = 0
        for event in [*full, *clear, *again]:
            state.apply(event)
            count += len(evaluate_rules(state, memory, event.time))
        return count

    assert fired(REARM_SECONDS - 1) == 1
    assert fired(REARM_SECONDS) == 2


def test_a_spike_of_a_run_that_went_back_and_did_better_is_forgotten():
    state, memory = RunState(), AlertMemory()
    for event in [*steps(1, 60, loss=1.0), step(61, loss=9.0)]:
        state.apply(event)
    assert [alert.step for alert in evaluate_rules(state, memory, 0.0)] == [61]
    state.apply(Resumed(step=60, attempt=2))
    state.apply(step(61, attempt=2, loss=1.0))
    assert evaluate_rules(state, memory, 0.0) == []
    assert not memory.spikes


def test_the_past_of_a_resumed_run_is_not_told_again_when_one_looks_from_now_on():
    state = RunState()
    state.apply(Resumed(step=0, attempt=1))
    for event in [*steps(1, 60, loss=1.0), step(61, loss=9.0), step(62, loss=1.0)]:
        state.apply(event)
    assert evaluate_rules(state, from_now_on(state), 0.0) == []
    assert [alert.rule for alert in evaluate_rules(state, AlertMemory(), 0.0)] == ["loss_spike"]


@given(st.lists(any_event(), max_size=30))
def test_no_stream_of_events_makes_a_rule_raise(events: list[AnyEvent]):
    state, memory = RunState(), AlertMemory()
    for event in events:
        state.apply(event)
        evaluate_rules(state, memory, 0.0)
