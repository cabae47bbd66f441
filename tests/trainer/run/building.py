"""Events for tests, with the numbers that do not matter filled in."""

from typing import Any

from trainer.run.events import (
    AttemptStarted,
    CheckpointPublished,
    Evaluation,
    Phase,
    Planned,
    Step,
    SupervisorStarted,
)


def step(number: int, attempt: int = 1, **numbers: Any) -> Step:
    """Return a healthy step, one second after the one before."""
    healthy: dict[str, Any] = {
        "time": 1000.0 + number,
        "epoch": number / 10,
        "loss": 2.0 / number,
        "token_accuracy": 0.5,
        "entropy": 4.0,
        "gradient_norm": 1.0,
        "learning_rates": {"language": 1e-4},
        "target_tokens": 10,
        "tokens": 20,
        "padding_share": 0.1,
        "samples": 4,
        "seconds": 1.0,
    }
    return Step(step=number, attempt=attempt, **(healthy | numbers))


def evaluation(number: int, attempt: int = 1, loss: float = 1.0, best: bool = False) -> Evaluation:
    """Return an evaluation after step `number`."""
    return Evaluation(
        step=number,
        attempt=attempt,
        time=1000.0 + number,
        loss=loss,
        perplexity=2.7,
        token_accuracy=0.5,
        entropy=4.0,
        target_tokens=100,
        samples=10,
        seconds=3.0,
        best=best,
    )


def published(number: int, attempt: int = 1, **more: Any) -> CheckpointPublished:
    """Return a checkpoint of step `number`."""
    known: dict[str, Any] = {"bytes": 1000, "seconds": 2.0, "reason": "schedule"}
    path = f"checkpoints/step-{number:08d}"
    return CheckpointPublished(step=number, attempt=attempt, path=path, **(known | more))


def planned(total_steps: int = 100, attempt: int = 1, validation_records: int = 0) -> Planned:
    """Return a plan of ten steps an epoch."""
    return Planned(
        total_steps=total_steps,
        attempt=attempt,
        steps_per_epoch=10,
        records=40,
        validation_records=validation_records,
        samples_per_step=4,
    )


def supervisor(attempt: int = 1, time: float = 1000.0) -> SupervisorStarted:
    """Return the begin of an attempt in monitor.jsonl."""
    return SupervisorStarted(pid=1, host="here", boot_id="boot", attempt=attempt, time=time)


def attempt_started(attempt: int = 1) -> AttemptStarted:
    """Return the begin of an attempt in events.jsonl."""
    return AttemptStarted(attempt=attempt, time=1001.0)


def phase(name: Any, state: Any = "started", attempt: int = 1) -> Phase:
    """Return a phase that began or ended."""
    return Phase(name=name, state=state, attempt=attempt)
