"""Put together what is known about a run before it begins."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.config.schema import RunConfig
from trainer.data.check import check_data
from trainer.data.grouping import Grouping, plan_of
from trainer.data.index import Dataset
from trainer.data.order import Plan, planned_steps
from trainer.data.pictures import picture_rule
from trainer.data.reading import Records
from trainer.forecast.checkpoint import Checkpoint, checkpoint_folder, find_checkpoint
from trainer.forecast.device import Device, chosen_device
from trainer.forecast.duration import StepTime, Unknown, expected_step
from trainer.forecast.memory import (
    Memory,
    estimate_memory,
    largest_micro_batch,
    what_to_lower,
)
from trainer.forecast.pace import Pace, earlier_pace
from trainer.forecast.records import PROBLEMS_TOLD, Look, look_at_records, open_dataset
from trainer.forecast.vision_cache import vision_cache_bytes


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run will look at, need and take."""

    train: Look
    validation: Look
    samples_per_step: int
    steps_per_epoch: int
    total_steps: int
    pace: Pace | None
    step: StepTime | Unknown  # by shapes
    device: Device
    checkpoint: str | None  # where the shapes were read; None: the model is not known here
    memory: Memory | None
    to_lower: str  # what would save most memory
    vision_cache_bytes: int | None = None  # of the host's memory or disk; None: nothing is kept

    @property
    def seconds_per_step(self) -> float | None:
        """Seconds of one optimizer step, as in an earlier run."""
        return self.pace.seconds_per_sample * self.samples_per_step if self.pace else None

    @property
    def step_time(self) -> StepTime | None:
        """Between which times shapes say that a step lies."""
        return self.step if isinstance(self.step, StepTime) else None

    @property
    def fits(self) -> bool | None:
        """Whether the memory that is free will do; None: not known."""
        if self.memory is None or self.device.free_bytes is None:
            return None
        return self.memory.total <= self.device.free_bytes

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        step = self.seconds_per_step
        return {
            "train": _look_as_json(self.train),
            "validation": _look_as_json(self.validation),
            "samples_per_step": self.samples_per_step,
            "steps_per_epoch": self.steps_per_epoch,
            "total_steps": self.total_steps,
            "seconds_per_step": step,
            "seconds": None if step is None else step * self.total_steps,
            "pace_of_run": self.pace.run if self.pace else None,
            "by_shapes": self._by_shapes(),
            "device": asdict(self.device),
            "checkpoint": self.checkpoint,
            "memory": asdict(self.memory) if self.memory else None,
            "memory_total": self.memory.total if self.memory else None,
            "fits": self.fits,
            "to_lower": self.to_lower if self.fits is False else "",
            "vision_cache_bytes": self.vision_cache_bytes,
        }

    def _by_shapes(self) -> dict[str, Any]:
        """Between which seconds steps and run lie by the model's shapes; or why that is unknown."""
        if isinstance(self.step, Unknown):
            return {"why_unknown": self.step.why}
        bounds = (self.step.shortest, self.step.longest)
        return {
            "why_unknown": None,
            "seconds_per_step": list(bounds),
            "seconds": [seconds * self.total_steps for seconds in bounds],
            "operations_per_step": self.step.operations,
            "basis": self.step.basis,
        }


def forecast(config: RunConfig, runs: Path, looks: dict[str, Look] | None = None) -> Forecast:
    """Return what can be said about a run, from a look at data, checkpoint and earlier runs.

    `looks` is what is known of the splits already; other splits have some records looked at.

    Raises:
        DataError: The data cannot be trained on; the message says where.

    """
    check_data(config.data)
    rule = picture_rule(checkpoint_folder(config.model), config.data)
    data = config.data
    train = open_dataset(data.train, data, data.train_samples)
    validation = open_dataset(data.validation, data, data.validation_samples)
    known = looks or {}
    look = known.get("train") or look_at_records(train, data, rule)
    plan = _plan(config, train)
    checkpoint = find_checkpoint(config.model)
    device = chosen_device(config)
    memory = _memory(config, checkpoint, look, device)
    also = known.get("validation") or look_at_records(validation, data, rule)
    steps = planned_steps(config, plan)
    epochs = plan.epochs_done(steps)
    return Forecast(
        train=look,
        validation=also,
        samples_per_step=config.samples_per_step,
        steps_per_epoch=plan.steps_per_epoch,
        total_steps=steps,
        pace=earlier_pace(config, runs),
        step=expected_step(config, checkpoint, look, plan.steps_per_epoch, device),
        device=device,
        checkpoint=checkpoint.source if checkpoint else None,
        memory=memory,
        to_lower=what_to_lower(config, memory) if memory else "",
        vision_cache_bytes=vision_cache_bytes(config, checkpoint, (look, also), epochs)
        if checkpoint
        else None,
    )


def _plan(config: RunConfig, train: Dataset) -> Plan:
    return plan_of(config, Grouping.of(Records.of(train, config.data), config.seed))


def _memory(
    config: RunConfig, checkpoint: Checkpoint | None, look: Look, device: Device
) -> Memory | None:
    """Return the estimate for a micro-batch of the largest samples that were seen."""
    if checkpoint is None or not checkpoint.tensors:
        return None
    largest = largest_micro_batch(config, look.largest)
    return estimate_memory(config, checkpoint, largest, gpu=device.gpu)


def _look_as_json(look: Look) -> dict[str, Any]:
    return {
        "records": look.records,
        "looked_at": look.looked_at,
        "problems": [asdict(problem) for problem in look.problems[:PROBLEMS_TOLD]],
        "problem_count": len(look.problems) + look.more_problems,
        "images": look.images,
        "remote_images": look.remote_images,
        "visual_tokens": look.visual_token_range(),
        "largest": asdict(look.largest),
    }
