"""Run directories with the same content every time: what screens are tested and pictured with."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from tests.qvl_tui.recorded_events import (
    CHECKPOINT_EVERY,
    EPOCHS,
    EVALUATE_EVERY,
    NOW,
    STEP_SECONDS,
    Recipe,
    attempt_started,
    evaluation_event,
    is_best,
    step_event,
    telemetry_sample,
    validation_loss_at,
)
from trainer.config.load import dump_config, load_config
from trainer.run.codec import encode
from trainer.run.events import (
    Alert,
    AnyEvent,
    CheckpointPruned,
    CheckpointPublished,
    DataIndexed,
    Exit,
    FinalWritten,
    PartTuned,
    Phase,
    Planned,
    RecordSkipped,
    Resumed,
    SamplePrediction,
    Stalled,
    SupervisorStarted,
    TrainabilityProved,
    TrainerEnded,
)
from trainer.run.layout import RunLayout
from trainer.run.lock import acquire_run_lock
from trainer.run.owner import this_process, write_owner
from trainer.run.summary import RESULTS_NAME


def record_run(runs: Path, name: str, recipe: Recipe | None = None, **changes: Any) -> RunLayout:
    """Write the files of a run; `changes` are fields of the recipe."""
    recipe = replace(recipe or Recipe(), **changes)
    layout = RunLayout(runs / name)
    layout.root.mkdir(parents=True)
    config = _config(layout, recipe)
    began = NOW - recipe.ended_ago_seconds - recipe.steps * STEP_SECONDS - 60
    trainer, monitor = _Lines(began), _Lines(began - 3)
    _begin(trainer, monitor, config, recipe)
    if recipe.end != "starting":
        _train(trainer, monitor, config, recipe)
        _finish(trainer, monitor, recipe)
    layout.events.write_bytes(trainer.text())
    layout.monitor.write_bytes(monitor.text())
    layout.telemetry.write_bytes(_telemetry(recipe, trainer.now))
    layout.console.write_text(
        "loading tiny-qwen3-vl\nepoch 1: 100%|##########| 200/200\n"
        "a path with [brackets] and a \x1b[31mcolour\x1b[0m\n"
    )
    if recipe.end != "starting":
        _write_results(layout, recipe)
    for path in layout.root.iterdir():
        os.utime(path, (trainer.now, trainer.now))
    return layout


def _write_results(layout: RunLayout, recipe: Recipe) -> None:
    """Write what the trainer writes besides its events."""
    for step in _kept(recipe, recipe.steps):
        layout.checkpoint(step).mkdir(parents=True)
        (layout.checkpoint(step) / "manifest.json").write_text("{}")
    evaluated = range(EVALUATE_EVERY, recipe.steps + 1, EVALUATE_EVERY)
    best = [it for it in evaluated if is_best(it, recipe)]
    if best:
        results = {"best_step": best[-1], "best_loss": validation_loss_at(best[-1], recipe)}
        (layout.root / RESULTS_NAME).write_bytes(orjson.dumps(results))


@contextmanager
def live(layout: RunLayout, attempt: int = 1, *, host: str | None = None) -> Iterator[None]:
    """Hold the lock of a run, as its supervisor does, so that it counts as running.

    With `host` the owner is told to be process 4242 there, for pictures that stay the same.
    """
    owner = this_process(attempt)
    with acquire_run_lock(layout.root):
        write_owner(layout, owner if host is None else replace(owner, host=host, pid=4242))
        try:
            yield
        finally:
            layout.owner.unlink(missing_ok=True)


def _config(layout: RunLayout, recipe: Recipe) -> dict[str, Any]:
    source = layout.root / "config.yaml"
    source.write_text("extends: balanced\n")
    overrides = [
        "model.path=/models/Qwen3-VL-2B-Instruct",
        "model.variant=instruct",
        "data.train=/data/train.jsonl",
        "data.validation=/data/validation.jsonl",
        f"optimizer.learning_rate={recipe.learning_rate}",
        f"tune.rank={recipe.rank}",
        f"name={layout.name}",
        *recipe.overrides,
    ]
    config = load_config(source, overrides, files_must_exist=False)
    source.write_text(dump_config(config))
    return config.model_dump(mode="json")


class _Lines:
    """Events with times of their own choosing."""

    def __init__(self, began: float) -> None:
        self.now = self._began = began
        self.attempt = 1
        self._seq = 0
        self._events: list[AnyEvent] = []

    def add(self, event: AnyEvent, seconds: float = 0.0) -> None:
        self.now += seconds
        self._events.append(
            replace(
                event,
                seq=self._seq,
                time=self.now,
                elapsed=self.now - self._began,
                attempt=self.attempt,
            )
        )
        self._seq += 1

    def text(self) -> bytes:
        return b"".join(map(encode, self._events))


def _begin(trainer: _Lines, monitor: _Lines, config: dict[str, Any], recipe: Recipe) -> None:
    monitor.add(SupervisorStarted(pid=4242, host="box", boot_id="b"))
    trainer.add(attempt_started(config, recipe))
    trainer.add(Resumed(step=0))
    trainer.add(
        DataIndexed(
            split="train",
            file="/data/train.jsonl",
            records=800,
            bytes=52_000_000,
            sha256="0" * 64,
            cached=False,
        ),
        2,
    )
    trainer.add(Phase(name="load", state="started", total=625, unit="tensors"), 1)
    if recipe.end == "starting":
        trainer.add(
            Phase(name="load", state="progress", done=412, total=625, unit="tensors"),
            2,
        )
        return
    trainer.add(Phase(name="load", state="finished", seconds=41.0), 41)
    for part, mode, lora in (
        ("vision", "frozen", 0),
        ("aligner", "frozen", 0),
        ("language", "lora", 392),
    ):
        trainer.add(
            PartTuned(
                part=part,  # type: ignore[arg-type]
                mode=mode,  # type: ignore[arg-type]
                frozen_tensors=300,
                lora_tensors=lora,
                full_tensors=0,
                trainable_parameters=17_432_576 if lora else 0,
                parameters=1_720_574_976,
                quantized_layers=196 if lora else 0,
            )
        )
    trainer.add(
        Planned(
            total_steps=recipe.total,
            steps_per_epoch=recipe.total // EPOCHS,
            records=800,
            validation_records=40 if recipe.evaluations else 0,
            samples_per_step=4,
        )
    )
    trainer.add(Phase(name="train", state="started", total=recipe.total, unit="steps"))


def _train(trainer: _Lines, monitor: _Lines, config: dict[str, Any], recipe: Recipe) -> None:
    first = 1
    if recipe.resumed_at is not None:
        _steps(trainer, recipe, 1, recipe.resumed_at + 20)
        monitor.now = trainer.now
        monitor.add(Exit(state="crashed", code=1, signal="SIGKILL", step=recipe.resumed_at), 1)
        monitor.attempt = trainer.attempt = 2
        monitor.add(SupervisorStarted(pid=5242, host="box", boot_id="b"), 30)
        trainer.add(attempt_started(config, recipe), 30)
        trainer.add(Resumed(step=recipe.resumed_at, checkpoint="step-x"), 10)
        trainer.add(Phase(name="train", state="started", total=recipe.total, unit="steps"))
        first = recipe.resumed_at + 1
    _steps(trainer, recipe, first, recipe.steps)
    monitor.now = trainer.now


def _steps(trainer: _Lines, recipe: Recipe, first: int, last: int) -> None:
    for step in range(first, last + 1):
        trainer.add(step_event(step, recipe), STEP_SECONDS)
        if step == 2:
            trainer.add(
                TrainabilityProved(step=2, tensors=392, lora_b_nonzero=196, lora_a_nonzero=196)
            )
        if step == 17:
            trainer.add(
                RecordSkipped(
                    split="train",
                    file="/data/train.jsonl",
                    line=230,
                    offset=14_950_112,
                    reason="image 1: truncated JPEG [0 bytes]; save it again",
                    step=17,
                )
            )
        if recipe.evaluations and step % EVALUATE_EVERY == 0:
            _evaluate(trainer, recipe, step)
        if step % CHECKPOINT_EVERY == 0:
            _checkpoint(trainer, recipe, step)


def _evaluate(trainer: _Lines, recipe: Recipe, step: int) -> None:
    trainer.add(evaluation_event(step, recipe), 6.2)
    for line, truth, answer in (
        (12, '{"shape": "circle", "color": "red"}', '{"shape": "circle", "color": "red"}'),
        (31, '{"shape": "square", "color": "blue"}', '{"shape": "triangle", "color": "blue"}'),
    ):
        trainer.add(
            SamplePrediction(
                step=step,
                file="/data/validation.jsonl",
                line=line,
                prompt="What is in the picture? Answer as JSON.",
                truth=truth,
                answer=answer,
                new_tokens=14,
            )
        )


def _checkpoint(trainer: _Lines, recipe: Recipe, step: int) -> None:
    trainer.add(
        CheckpointPublished(
            step=step,
            path=f"checkpoints/step-{step:08d}",
            bytes=43_200_000,
            seconds=0.61,
            reason="schedule",
            best=is_best(step, recipe),
            validation_loss=validation_loss_at(step, recipe) if recipe.evaluations else None,
        )
    )
    before = [*_kept(recipe, step - CHECKPOINT_EVERY), step]
    for gone in sorted(set(before) - set(_kept(recipe, step))):
        trainer.add(CheckpointPruned(step=gone, path=f"checkpoints/step-{gone:08d}"))


def _kept(recipe: Recipe, step: int) -> Sequence[int]:
    """Return the steps whose checkpoints are there at a step: the last two and the best."""
    every = range(CHECKPOINT_EVERY, step + 1, CHECKPOINT_EVERY)
    best = [it for it in every if is_best(it, recipe)]
    return sorted({*every[-2:], *best[-1:]})


def _finish(trainer: _Lines, monitor: _Lines, recipe: Recipe) -> None:
    step = recipe.steps
    match recipe.end:
        case "running" | "starting":
            monitor.add(
                Alert(
                    rule="power_capped",
                    severity="warning",
                    step=max(step - 40, 0),
                    value=0.9,
                    message="GPU0 has been at its power limit for 5 minutes",
                    advice="raise the power limit if you may; the run only takes longer",
                ),
                -90,
            )
        case "stalled":
            monitor.add(Stalled(stalled=True, silent_seconds=400, limit_seconds=300), 400)
        case "crashed":
            monitor.add(
                Exit(state="crashed", code=1, signal="SIGKILL", step=step, message="out of memory"),
                1,
            )
        case "failed":
            message = (
                "CUDA out of memory at train.jsonl:4117 [phase forward]; lower data.max_length"
            )
            trainer.add(TrainerEnded(state="failed", step=step, message=message))
            monitor.add(Exit(state="failed", code=1, step=step, message=message), 1)
        case "finished" | "stopped":
            partial = recipe.end == "stopped"
            trainer.add(FinalWritten(step=step, path="final", partial=partial, bytes=43_900_000), 2)
            trainer.add(TrainerEnded(state=recipe.end, step=step))
            monitor.add(Exit(state=recipe.end, code=3 if partial else 0, step=step), 3)


def _telemetry(recipe: Recipe, now: float) -> bytes:
    lines = _Lines(now - 300)
    for second in range(300):
        lines.add(telemetry_sample(second, recipe.gpus), 1)
    return lines.text()
