"""The training loop: windows in, optimizer steps, evaluations and checkpoints out."""

from collections.abc import Iterator
from time import monotonic
from typing import Literal, TypeVar

from trainer.model.trainability import TrainabilityProof
from trainer.run.events import CommandDone, CommandName, Phase
from trainer.train.progress import Progress
from trainer.train.requests import Requests
from trainer.train.save import save_checkpoint, save_final
from trainer.train.setup import Setup
from trainer.train.step import take_step
from trainer.train.validate import validate
from trainer.train.waiting import until_stopped

T = TypeVar("T")

Outcome = Literal["finished", "stopped"]


def train(setup: Setup, progress: Progress, requests: Requests) -> Outcome:
    """Train to the last step, to an early stop, or until asked to leave.

    Raises:
        Diverged: The loss or the gradients were not finite for too many steps in a row.

    """
    proof = TrainabilityProof(setup.model)
    setup.recorder.write(Phase(name="train", state="started", unit="steps"))
    if an_evaluation_is_missing(setup, progress):
        validate(setup, progress, requests)
    if progress.stopped_early:
        return finish(setup, progress, requests)
    windows = until_stopped(setup.windows(progress.step), requests, setup.pool)
    for window, data_seconds in with_waiting_time(windows):
        requests.poll()
        if requests.stop or window is None:
            return leave(setup, progress, requests)
        take_step(setup, progress, window, data_seconds, proof)
        requests.poll()
        if requests.evaluate or evaluation_is_due(setup, progress):
            validate(setup, progress, requests)
            acknowledge(setup, progress, requests, "evaluate")
        if requests.checkpoint or checkpoint_is_due(setup, progress):
            save_checkpoint(setup, progress, "command" if requests.checkpoint else "schedule")
            acknowledge(setup, progress, requests, "checkpoint")
        if requests.stop:
            return leave(setup, progress, requests)
        if patience_is_over(setup, progress):
            progress.stopped_early = True
            break
    return finish(setup, progress, requests)


def with_waiting_time(windows: Iterator[T]) -> Iterator[tuple[T, float]]:
    """Yield every window with the seconds it was waited for."""
    started = monotonic()
    for window in windows:
        yield window, monotonic() - started
        started = monotonic()


def evaluation_is_due(setup: Setup, progress: Progress) -> bool:
    """Whether validation is scheduled after this step."""
    every = setup.config.evaluation.every_steps or setup.plan.steps_per_epoch
    return len(setup.validation_data) > 0 and progress.step % every == 0


def an_evaluation_is_missing(setup: Setup, progress: Progress) -> bool:
    """Whether an earlier attempt was stopped in the middle of a validation."""
    return progress.step > 0 and not progress.evaluated and evaluation_is_due(setup, progress)


def checkpoint_is_due(setup: Setup, progress: Progress) -> bool:
    """Whether to write a checkpoint after this step: on schedule, or a new best one."""
    config = setup.config.checkpoint
    if progress.step < config.not_before_step or progress.step == setup.total_steps:
        return False
    is_best = config.keep_best and progress.best_step == progress.step
    return is_best or progress.step % config.every_steps == 0


def patience_is_over(setup: Setup, progress: Progress) -> bool:
    """Whether validation has not improved for too long."""
    patience = setup.config.evaluation.early_stopping_evaluations
    return patience is not None and progress.evaluations_since_best >= patience


def leave(setup: Setup, progress: Progress, requests: Requests) -> Outcome:
    """Keep the work of a run that is asked to stop."""
    reason = requests.stop
    assert reason is not None, "nobody asked to stop"
    save_checkpoint(setup, progress, reason, required=True)
    if not requests.hurry:
        save_final(setup, progress)
    acknowledge(setup, progress, requests, "stop")
    return "stopped"


def finish(setup: Setup, progress: Progress, requests: Requests) -> Outcome:
    """Validate, keep and hand over the result of a complete run."""
    if setup.config.evaluation.at_end and len(setup.validation_data) and not progress.evaluated:
        validate(setup, progress, requests)
        if requests.stop:
            return leave(setup, progress, requests)
    save_checkpoint(setup, progress, "end", required=True)
    save_final(setup, progress)
    return "finished"


def acknowledge(setup: Setup, progress: Progress, requests: Requests, command: CommandName) -> None:
    """Say that a command took effect."""
    requests.done(
        command,
        lambda done: setup.recorder.write(
            CommandDone(id=done.id, command=command, step=progress.step)
        ),
    )
