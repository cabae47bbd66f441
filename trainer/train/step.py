"""Take one optimizer step and record what it did."""

import resource
from dataclasses import replace
from time import monotonic

import torch

from trainer.config.augmentation import Crop, Own
from trainer.data.batch import Window
from trainer.data.errors import named
from trainer.data.variation import OBJECT_DROPPED
from trainer.model.trainability import TrainabilityProof
from trainer.run.events import NonFinite, Part, Step
from trainer.train.out_of_memory import memory_for
from trainer.train.progress import Progress
from trainer.train.schedule import learning_rate
from trainer.train.setup import Setup
from trainer.train.skipped import record_skipped, report_edits
from trainer.train.window import (
    Gradients,
    accumulate_gradients,
    clip_gradients,
    sum_over_ranks,
)


class Diverged(ArithmeticError):
    """Loss or gradients were not finite for too many steps in a row."""


def take_step(
    setup: Setup,
    progress: Progress,
    window: Window,
    data_seconds: float,
    proof: TrainabilityProof,
) -> None:
    """Train on one window; the optimizer only moves on finite numbers.

    Raises:
        Diverged: This was one non-finite step too many.
        RanksLost: Another rank has ended.

    """
    started = monotonic()
    window = replace(window, totals=setup.totals_of_all(window.totals))
    rates = set_learning_rates(setup, progress.step + 1)
    gradients = accumulate_gradients(setup.forward, window)
    gradients = sum_over_ranks(setup.forward, setup.ranks, gradients)
    limit = setup.config.optimizer.max_gradient_norm
    gradients = clip_gradients(setup.forward, gradients, limit)
    updated = window.target_tokens > 0 and gradients.not_finite is None
    computed = monotonic()  # the device is done, its numbers were waited for
    progress.step += 1
    if updated:
        prove(setup, progress, window, proof)
        with memory_for(f"in the optimizer's step {progress.step}"):
            setup.optimizer.step()
    setup.optimizer.zero_grad(set_to_none=True)
    progress.samples += window.totals.samples
    progress.target_tokens += window.target_tokens
    record_skipped(setup, "train", window.totals.skipped, progress.step)
    report_edits(setup, window.totals.notes, progress.step)
    seconds = (data_seconds, computed - started, monotonic() - computed)
    event = step_event(setup, progress, window, gradients, rates, seconds, updated)
    setup.recorder.write(event)
    setup.efficiency.add(window, event)
    guard(setup, progress, window, gradients)


def set_learning_rates(setup: Setup, step: int) -> dict[str, float]:
    """Set every group's learning rate for a step and return it by part."""
    rates: dict[str, float] = {}
    for group in setup.optimizer.param_groups:
        part: Part = group["part"]
        rates[part] = group["lr"] = learning_rate(
            setup.config.schedule, step, setup.total_steps, group["peak"]
        )
    return rates


def prove(setup: Setup, progress: Progress, window: Window, proof: TrainabilityProof) -> None:
    """Check that gradients reach everything that is meant to learn, until proven."""
    proved = proof.after_backward(progress.step, window.totals.images > 0)
    if proved is not None:
        setup.recorder.write(proved)


def guard(setup: Setup, progress: Progress, window: Window, gradients: Gradients) -> None:
    """Report a step whose numbers were not finite, and give up after too many in a row."""
    what = gradients.not_finite
    if what is None:
        progress.nonfinite_in_a_row = 0
        return
    progress.nonfinite_in_a_row += 1
    records = tuple(map(str, window.totals.sources))
    in_a_row = progress.nonfinite_in_a_row
    setup.recorder.write(
        NonFinite(step=progress.step, what=what, in_a_row=in_a_row, records=records)
    )
    if in_a_row >= setup.config.training.max_nonfinite_steps:
        msg = (
            f"{what} was not finite for {in_a_row} steps in a row, last at step {progress.step} "
            f"with records {named(window.totals.sources)}; look at them, or begin anew with "
            "optimizer.learning_rate=5e-5, then 1e-5"
        )
        raise Diverged(msg)


def step_event(  # noqa: PLR0913
    setup: Setup,
    progress: Progress,
    window: Window,
    gradients: Gradients,
    rates: dict[str, float],
    seconds: tuple[float, float, float],
    updated: bool,
) -> Step:
    """Return the record of one step. `seconds`: data wait, forward and backward, optimizer."""
    total, totals = sum(seconds), window.totals
    finite = gradients.not_finite is None
    return Step(
        step=progress.step,
        epoch=setup.plan.epochs_done(progress.step),
        loss=gradients.mean("loss"),
        token_accuracy=gradients.mean("correct"),
        entropy=gradients.mean("entropy"),
        gradient_norm=gradients.norm if finite and window.target_tokens else None,
        learning_rates=rates,
        target_tokens=totals.target_tokens,
        tokens=totals.tokens,
        padding_share=1.0 - totals.tokens / totals.positions if totals.positions else 0.0,
        samples=totals.samples,
        images=totals.images,
        seconds=total,
        data_seconds=seconds[0],
        compute_seconds=seconds[1],
        optimizer_seconds=seconds[2],
        tokens_per_second=totals.tokens / total if total else None,
        samples_per_second=totals.samples / total if total else None,
        mfu=setup.efficiency.mfu(window, total),
        peak_memory_bytes=peak_memory_bytes(setup.accelerator.device),
        updated=updated,
        further={**kept_images(setup, window), **objects_dropped(setup, window)},
    )


def kept_images(setup: Setup, window: Window) -> dict[str, float | None]:
    """Return how many of a step's images did not go through the vision tower."""
    if setup.forward.vision is None:
        return {}
    return {"vision_cache_hits": float(window.totals.kept_images)}


def objects_dropped(setup: Setup, window: Window) -> dict[str, float | None]:
    """Return how many objects augmentation left out of a step's samples, where it may do so."""
    ops = setup.config.data.augmentation.ops
    if not any(isinstance(it, Crop | Own) for it in ops):
        return {}
    return {"objects_dropped": window.totals.notes.get(OBJECT_DROPPED, 0)}


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory this process has held: on the GPU, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
