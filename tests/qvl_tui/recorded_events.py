"""What single events of a recorded run hold: the same numbers every time."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from trainer.run.events import (
    AttemptStarted,
    Evaluation,
    GpuSample,
    Step,
    Telemetry,
)

START = 1_767_268_800.0  # 2026-01-01 12:00 UTC
NOW = START + 4 * 3600  # the clock of the pictures
STEP_SECONDS = 2.4
EPOCHS = 3
EVALUATE_EVERY = 50
CHECKPOINT_EVERY = 100

End = Literal["running", "starting", "finished", "stopped", "failed", "crashed", "stalled"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a recorded run is like."""

    steps: int = 400
    total: int = 600
    end: End = "running"
    gpus: int = 1
    learning_rate: float = 2e-4
    rank: int = 16
    floor: float = 0.25  # of the loss
    evaluations: bool = True
    resumed_at: int | None = None  # a second attempt goes on from here
    overrides: tuple[str, ...] = ()
    ended_ago_seconds: float = 0.0  # before NOW; running ones write until NOW


def attempt_started(config: dict[str, Any], recipe: Recipe) -> AttemptStarted:
    return AttemptStarted(
        config=config,
        versions={"torch": "2.13.0", "transformers": "5.23.0"},
        devices=("NVIDIA GeForce RTX 3060",) * recipe.gpus or ("cpu",),
        threads=2,
        pid=4243,
    )


def loss_at(step: int, recipe: Recipe) -> float:
    """Return a falling loss with the same noise every time."""
    noise = math.sin(step * 12.9898) * 43758.5453
    return recipe.floor + 2.2 * math.exp(-step / 90) + 0.12 * (noise - math.floor(noise))


def validation_loss_at(step: int, recipe: Recipe) -> float:
    """Return the loss of an evaluation, a little above that of the steps."""
    return loss_at(step, replace(recipe, floor=recipe.floor + 0.05))


def evaluation_event(step: int, recipe: Recipe) -> Evaluation:
    """Return the event of one evaluation."""
    loss = validation_loss_at(step, recipe)
    return Evaluation(
        step=step,
        loss=loss,
        perplexity=math.exp(loss),
        token_accuracy=min(0.98, 1 - loss / 3.1),
        entropy=loss + 0.5,
        target_tokens=3_100,
        samples=40,
        seconds=6.2,
        best=is_best(step, recipe),
    )


def is_best(step: int, recipe: Recipe) -> bool:
    """Whether no evaluation until this step has a lower loss."""
    losses = [
        validation_loss_at(it, recipe) for it in range(EVALUATE_EVERY, step + 1, EVALUATE_EVERY)
    ]
    return recipe.evaluations and losses[-1] == min(losses)


def step_event(step: int, recipe: Recipe) -> Step:
    """Return the event of one optimizer step."""
    loss = loss_at(step, recipe)
    warm_up = min(step / 50, 1)
    return Step(
        step=step,
        epoch=step * EPOCHS / recipe.total,
        loss=loss,
        token_accuracy=min(0.99, 1 - loss / 3.2),
        entropy=loss * 1.3 + 0.4,
        gradient_norm=0.3 + loss / 4,
        learning_rates={"language": recipe.learning_rate * warm_up},
        target_tokens=310 + step % 17,
        tokens=4_100 + step % 131,
        padding_share=0.0,
        samples=4,
        images=4,
        seconds=STEP_SECONDS,
        data_seconds=0.05,
        compute_seconds=2.22,
        optimizer_seconds=0.13,
        tokens_per_second=1_700 + step % 97,
        samples_per_second=1.66,
        mfu=0.41,
        peak_memory_bytes=9_800_000_000,
    )


def telemetry_sample(second: int, gpus: int) -> Telemetry:
    wave = math.sin(second / 7)
    return Telemetry(
        gpus=tuple(
            GpuSample(
                index=index,
                uuid=f"GPU-{index}",
                name="NVIDIA GeForce RTX 3060",
                utilization=0.93 + 0.05 * wave,
                memory_used_bytes=10_800_000_000 - index * 10**9,
                memory_total_bytes=12_884_901_888,
                power_watts=162 + 6 * wave,
                power_limit_watts=170.0,
                temperature_celsius=71.0 + index,
                sm_clock_mhz=1_777,
                throttle_reasons=("power cap",) if second > 250 else (),
            )
            for index in range(gpus)
        ),
        gpu_note="" if gpus else "not available: NVML finds no GPU",
        cpu_share=0.38 + 0.05 * wave,
        memory_used_bytes=21_000_000_000,
        memory_total_bytes=64_000_000_000,
        trainer_memory_bytes=6_100_000_000,
        disk_free_bytes=212_000_000_000,
        disk_total_bytes=512_000_000_000,
    )
