"""Rules over the state of a run: what is wrong, and what to do about it."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from statistics import fmean, median, variance
from typing import Literal, NamedTuple

from trainer.run.disk import disk_shortage
from trainer.run.events import Telemetry
from trainer.run.state import RunState

HEALTHY_GRADIENT_NORM = (0.001, 10.0)
GRADIENT_WINDOW = 5  # steps
FIRST_STEPS = 20  # in which large gradients are usual: the learning rate still warms up
FLAT_STEPS = 100
FLAT_WINDOW = 50
FLAT_DROP = 0.02  # share of the first losses by which the last must be lower
LEARNED_LOSS = 0.01  # below it there is nothing left to learn
SPIKE_WINDOW = 50  # steps before, whose median is the usual loss
SPIKE_RATIO = 2.0
SPIKE_DEVIATIONS = 8.0  # median absolute deviations
LEAST_RISE = 0.1  # nats per token; below it a loss near zero jumps about
PERIODIC_SPIKES = 3
PERIODIC_WINDOW = 200  # steps
OVERFITTING_RISES = 3  # evaluations in a row
STARVING_WINDOW = 20  # steps
STARVING_SHARE = 0.30
WARM_UP_STEPS = 5  # at the start of an attempt, when loader workers are still starting
SLOWED_SAMPLES = 30  # telemetry samples, one a second
POWER_CAPPED_SAMPLES = 300
SLOWED_SHARE = 0.8
MEMORY_SHARE = 0.97
MEMORY_SAMPLES = 3
DISK_BYTES = 2 * 10**9
DISK_CHECKPOINTS = 2
IDLE_RATE_STEPS = 3


class Finding(NamedTuple):
    """What a rule found."""

    value: float | None
    message: str
    advice: str
    step: int | None = None  # where it is; None: at the run's step


@dataclass
class AlertMemory:
    """What the rules remember between two looks at a run."""

    step: int = 0  # up to which the losses were looked at
    resumes: int = 0  # that were taken in
    spikes: deque[int] = field(default_factory=lambda: deque(maxlen=PERIODIC_WINDOW))
    # The rules in an episode, with the seconds since which they are clear; None: not clear.
    episodes: dict[str, float | None] = field(default_factory=dict[str, float | None])


# --- numbers of the steps -----------------------------------------------------------------------


def _non_finite(state: RunState, memory: AlertMemory) -> Finding | None:
    if not state.non_finite:
        return None
    mark = state.non_finite[-1]
    if mark.step < state.step and mark.step <= memory.step:
        return None
    return Finding(
        mark.in_a_row,
        f"the {mark.what} of step {mark.step} is not finite ({mark.in_a_row} in a row)",
        "lower the learning rate to 5e-5, then to 1e-5; look at the records of this step",
        mark.step,
    )


def _gradient_norm_high(state: RunState, _memory: AlertMemory) -> Finding | None:
    if state.step <= FIRST_STEPS:
        return None
    norms = state.steps.last("gradient_norm", GRADIENT_WINDOW)
    high = [norm for norm in norms if norm > HEALTHY_GRADIENT_NORM[1]]
    if len(high) * 2 <= GRADIENT_WINDOW:
        return None
    return Finding(
        high[-1],
        f"the gradient norm is {high[-1]:.3g}; 0.01 to 3 is healthy",
        "lower the learning rate, or raise the warm-up ratio to 0.1",
    )


def _gradient_norm_low(state: RunState, _memory: AlertMemory) -> Finding | None:
    norms = state.steps.last("gradient_norm", GRADIENT_WINDOW)
    if len(norms) < GRADIENT_WINDOW or max(norms) >= HEALTHY_GRADIENT_NORM[0]:
        return None
    return Finding(
        norms[-1],
        f"the gradient norm is {norms[-1]:.3g}; 0.01 to 3 is healthy",
        "hardly anything is learned: look whether the right parts are trained and whether the "
        "answers have labels; raise the learning rate",
    )


def _loss_flat(state: RunState, _memory: AlertMemory) -> Finding | None:
    losses = [loss for loss in state.steps["loss"][:FLAT_WINDOW] if loss == loss]
    recent = state.steps.last("loss", FLAT_WINDOW)
    if state.step < FLAT_STEPS or len(state.steps) < FLAT_STEPS or len(losses) < 2:
        return None
    if len(recent) < 2 or fmean(recent) < LEARNED_LOSS:
        return None
    noise = sqrt(variance(losses) / len(losses) + variance(recent) / len(recent))
    first, last = fmean(losses), fmean(recent)
    if first - last > max(FLAT_DROP * first, noise):
        return None
    return Finding(
        last,
        f"the loss is {last:.3g} after {state.step} steps and was {first:.3g} at first",
        "try a learning rate of 5e-4, or of 1e-4; look at the labels of some records",
    )


def look_for_spikes(state: RunState, memory: AlertMemory) -> None:
    """Note the steps since the last look whose loss stands far above those before them."""
    steps, losses = state.steps["step"], state.steps["loss"]
    for row in range(max(len(steps) - PERIODIC_WINDOW, SPIKE_WINDOW), len(steps)):
        if steps[row] > memory.step and _is_spike(losses[row], losses[row - SPIKE_WINDOW : row]):
            memory.spikes.append(int(steps[row]))


def _is_spike(loss: float, before: Iterable[float]) -> bool:
    known = [value for value in before if value == value]
    if len(known) < SPIKE_WINDOW // 2:
        return False
    usual = median(known)
    deviation = median(abs(value - usual) for value in known)
    return loss > max(SPIKE_RATIO * usual, usual + SPIKE_DEVIATIONS * deviation, usual + LEAST_RISE)


def _loss_spike(_state: RunState, memory: AlertMemory) -> Finding | None:
    if not memory.spikes or memory.spikes[-1] <= memory.step:
        return None
    return Finding(
        None,
        f"the loss of step {memory.spikes[-1]} is far above those before it",
        "look at the records of this step; if it happens again, a larger effective batch or a "
        "lower learning rate",
        memory.spikes[-1],
    )


def _periodic_spikes(state: RunState, memory: AlertMemory) -> Finding | None:
    recent = [step for step in memory.spikes if step > state.step - PERIODIC_WINDOW]
    if len(recent) < PERIODIC_SPIKES:
        return None
    return Finding(
        len(recent),
        f"{len(recent)} spikes of the loss in {PERIODIC_WINDOW} steps",
        "raise the warm-up ratio to 0.1, or make the effective batch larger",
        recent[-1],
    )


def _learning_rate_zero(state: RunState, _memory: AlertMemory) -> Finding | None:
    for column in state.steps.columns:
        if not column.startswith("learning_rate."):
            continue
        rates = state.steps.last(column, IDLE_RATE_STEPS)
        if len(rates) == IDLE_RATE_STEPS and not any(rates):
            part = column.removeprefix("learning_rate.")
            return Finding(
                0.0,
                f"the learning rate of the {part} part is zero: it is not trained",
                "look at the learning rate, the schedule and the number of warm-up steps",
            )
    return None


def _data_starving(state: RunState, _memory: AlertMemory) -> Finding | None:
    steps = state.steps["step"][-STARVING_WINDOW:]
    settled = state.current.first_step + WARM_UP_STEPS
    if len(steps) < STARVING_WINDOW or steps[0] <= settled:
        return None
    waited = sum(state.steps.last("data_seconds", STARVING_WINDOW))
    total = sum(state.steps.last("seconds", STARVING_WINDOW))
    if total <= 0 or waited / total <= STARVING_SHARE:
        return None
    return Finding(
        waited / total,
        f"{waited / total:.0%} of a step is waiting for data",
        "more loader workers, smaller images, or the cache of vision outputs",
    )


# --- evaluation and checkpoints -----------------------------------------------------------------


def _overfitting(state: RunState, _memory: AlertMemory) -> Finding | None:
    losses = state.evaluations.last("loss", OVERFITTING_RISES + 1)
    rises = all(later > earlier for earlier, later in pairwise(losses))
    if len(losses) <= OVERFITTING_RISES or not rises:
        return None
    best = state.best_evaluation
    at_best = f"; the best was at step {best.step}" if best else ""
    return Finding(
        losses[-1],
        f"the validation loss rose {OVERFITTING_RISES} times in a row to {losses[-1]:.3g}{at_best}",
        "stop and take the best checkpoint; fewer epochs, more data, a lower learning rate or "
        "more dropout",
    )


def _validation_never(state: RunState, _memory: AlertMemory) -> Finding | None:
    plan = state.plan
    if plan is None or not plan.validation_records or state.evaluation_events:
        return None
    if state.step <= max(plan.steps_per_epoch, _evaluation_interval(state)):
        return None
    return Finding(
        None,
        f"{plan.validation_records} validation records, and none was used by step {state.step}",
        "run `qvl evaluate` now, and evaluate more often",
    )


def _evaluation_interval(state: RunState) -> int:
    """Return after how many steps the configuration asks for a validation; 0: unknown."""
    started = state.current.started
    asked = started.config.get("evaluation", {}).get("every_steps") if started else None
    return asked if isinstance(asked, int) else 0


def _checkpoint_failed(state: RunState, _memory: AlertMemory) -> Finding | None:
    failure = state.checkpoint_failure
    if failure is None or failure.attempt != state.attempt:
        return None
    return Finding(
        None,
        f"the checkpoint of step {failure.step} could not be written: {failure.reason}",
        "make room or mend the disk, then run `qvl checkpoint`; the earlier ones are untouched",
        failure.step,
    )


# --- the machine --------------------------------------------------------------------------------


def _throttling(state: RunState, _memory: AlertMemory) -> Finding | None:
    return _held_down(
        state,
        SLOWED_SAMPLES,
        ("thermal", "slowdown", "brake"),
        "slows down ({reasons})",
        "look at cooling and power supply; the run only takes longer",
    )


def _power_capped(state: RunState, _memory: AlertMemory) -> Finding | None:
    return _held_down(
        state,
        POWER_CAPPED_SAMPLES,
        ("power cap",),
        f"has been at its power limit for {POWER_CAPPED_SAMPLES // 60} minutes",
        "raise the power limit if you may; the run only takes longer",
    )


def _held_down(
    state: RunState, samples: int, kinds: tuple[str, ...], what: str, advice: str
) -> Finding | None:
    """Return the GPU whose clocks were held down for one of `kinds` in most of the samples."""
    recent = list(state.recent_telemetry)[-samples:]
    if len(recent) < samples:
        return None
    for gpu in recent[-1].gpus:
        reasons = [_reasons(sample, gpu.index, kinds) for sample in recent]
        share = sum(map(bool, reasons)) / samples
        if share >= SLOWED_SHARE:
            named = ", ".join(sorted({reason for some in reasons for reason in some}))
            return Finding(share, f"GPU{gpu.index} {what.format(reasons=named)}", advice)
    return None


def _reasons(sample: Telemetry, index: int, kinds: tuple[str, ...]) -> set[str]:
    return {
        reason
        for gpu in sample.gpus
        if gpu.index == index
        for reason in gpu.throttle_reasons
        if any(kind in reason for kind in kinds)
    }


def _gpu_lost(state: RunState, _memory: AlertMemory) -> Finding | None:
    newest = state.recent_telemetry[-1] if state.recent_telemetry else None
    lost = [gpu.index for gpu in newest.gpus if gpu.lost] if newest else []
    if not lost:
        return None
    return Finding(
        len(lost),
        f"the driver has lost {', '.join(f'GPU{index}' for index in lost)}",
        "look at `dmesg` and `nvidia-smi`; if the run does not end by itself stop it, then resume "
        "from the last checkpoint, on another machine if it happens again",
    )


def _gpu_memory_full(state: RunState, _memory: AlertMemory) -> Finding | None:
    recent = list(state.recent_telemetry)[-MEMORY_SAMPLES:]
    if len(recent) < MEMORY_SAMPLES:
        return None
    for gpu in recent[-1].gpus:
        share = min(_memory_share(sample, gpu.index) for sample in recent)
        if share > MEMORY_SHARE:
            return Finding(
                share,
                f"{share:.1%} of the memory of GPU{gpu.index} is in use",
                "should it run out: length 2048, then 1024, activation checkpointing, NF4",
            )
    return None


def _memory_share(sample: Telemetry, index: int) -> float:
    for gpu in sample.gpus:
        if gpu.index == index and gpu.memory_used_bytes and gpu.memory_total_bytes:
            return gpu.memory_used_bytes / gpu.memory_total_bytes
    return 0.0


def _disk_nearly_full(state: RunState, _memory: AlertMemory) -> Finding | None:
    free = state.recent_telemetry[-1].disk_free_bytes if state.recent_telemetry else None
    checkpoint = max((c.bytes for c in state.kept_checkpoints), default=0)
    if free is None or free >= max(DISK_BYTES, DISK_CHECKPOINTS * checkpoint):
        return None
    return Finding(
        free,
        f"{free / 1e9:.1f} GB left on the disk of the run; a checkpoint takes "
        f"{checkpoint / 1e9:.1f} GB",
        "make room, or keep fewer checkpoints; a full disk loses no checkpoint that is written",
    )


def _disk_will_be_full(state: RunState, _memory: AlertMemory) -> Finding | None:
    short = disk_shortage(state)
    if short is None:
        return None
    when = "" if short.seconds is None else f", in about {short.seconds / 3600:.1f} h"
    return Finding(
        short.free_bytes,
        f"{short.free_bytes / 1e9:.1f} GB are free, but the checkpoints to come take "
        f"{short.wanted_bytes / 1e9:.1f} GB; the one of step {short.step} will not fit{when}",
        "make room until then, or stop and resume with a lower checkpoint.keep_last",
    )


def _stalled(state: RunState, _memory: AlertMemory) -> Finding | None:
    stalled = state.current.stalled
    if stalled is None:
        return None
    return Finding(
        stalled.silent_seconds,
        f"no progress for {stalled.silent_seconds:.0f} s",
        "look at console.log for the stack of every thread; stop the run and resume it",
    )


Severity = Literal["warning", "bad"]
Rule = Callable[[RunState, AlertMemory], Finding | None]

RULES: tuple[tuple[str, Severity, Rule], ...] = (
    ("non_finite", "bad", _non_finite),
    ("gradient_norm_high", "warning", _gradient_norm_high),
    ("gradient_norm_low", "warning", _gradient_norm_low),
    ("loss_flat", "warning", _loss_flat),
    ("loss_spike", "warning", _loss_spike),
    ("periodic_spikes", "warning", _periodic_spikes),
    ("learning_rate_zero", "bad", _learning_rate_zero),
    ("data_starving", "warning", _data_starving),
    ("overfitting", "warning", _overfitting),
    ("validation_never", "warning", _validation_never),
    ("checkpoint_failed", "bad", _checkpoint_failed),
    ("throttling", "warning", _throttling),
    ("power_capped", "warning", _power_capped),
    ("gpu_lost", "bad", _gpu_lost),
    ("gpu_memory_full", "warning", _gpu_memory_full),
    ("disk_nearly_full", "bad", _disk_nearly_full),
    ("disk_will_be_full", "warning", _disk_will_be_full),
    ("stalled", "bad", _stalled),
)
