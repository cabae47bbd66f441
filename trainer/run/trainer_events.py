"""What rank 0 writes into events.jsonl: one frozen dataclass a type."""

from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.run.event import SCHEMA_VERSION, CommandName, Event, Part, PhaseName


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptStarted(Event):
    """The trainer is up: what it runs, with what, on what."""

    type: Literal["attempt_started"] = "attempt_started"
    schema_version: int = SCHEMA_VERSION
    config: dict[str, Any] = field(default_factory=dict[str, Any])  # resolved configuration
    versions: dict[str, str] = field(default_factory=dict[str, str])  # package -> version
    devices: tuple[str, ...] = ()
    ranks: int = 1
    threads: int = 0
    pid: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed(Event):
    """From which step this attempt goes on; later points of earlier attempts are void."""

    type: Literal["resumed"] = "resumed"
    step: int
    checkpoint: str | None = None  # folder name; None: started again from step 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase(Event):
    """A phase began, moved on or ended; bytes, records or steps by `unit`."""

    type: Literal["phase"] = "phase"
    name: PhaseName
    state: Literal["started", "progress", "finished"]
    done: int = 0
    total: int | None = None
    unit: str = ""
    detail: str = ""
    seconds: float | None = None  # with finished


@dataclass(frozen=True, kw_only=True, slots=True)
class DataIndexed(Event):
    """One data file is indexed: its lines are found and its content is hashed."""

    type: Literal["data_indexed"] = "data_indexed"
    split: Literal["train", "validation"]
    file: str
    records: int
    bytes: int
    sha256: str
    cached: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned(Event):
    """How long the run will be."""

    type: Literal["planned"] = "planned"
    total_steps: int
    steps_per_epoch: int
    records: int
    validation_records: int
    samples_per_step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PartTuned(Event):
    """What is trained in one part of the model, counted on the loaded model."""

    type: Literal["part_tuned"] = "part_tuned"
    part: Part
    mode: Literal["frozen", "lora", "full"]
    frozen_tensors: int
    lora_tensors: int
    full_tensors: int
    trainable_parameters: int
    parameters: int
    quantized_layers: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainabilityProved(Event):
    """Gradients reached every trainable tensor of a part."""

    type: Literal["trainability_proved"] = "trainability_proved"
    step: int
    tensors: int
    lora_b_nonzero: int
    lora_a_nonzero: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordSkipped(Event):
    """A record left a hole in its batch."""

    type: Literal["record_skipped"] = "record_skipped"
    split: Literal["train", "validation"]
    file: str
    line: int  # counts from 1
    offset: int  # byte offset of the line
    reason: str
    step: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Event):
    """One optimizer step. None: unknown, or not finite (then a NonFinite event says so)."""

    type: Literal["step"] = "step"
    step: int  # counts from 1
    epoch: float  # passes over the data, counted at the end of the step
    loss: float | None  # nats per target token
    token_accuracy: float | None  # share of target tokens the model ranks first
    entropy: float | None  # nats per target token
    gradient_norm: float | None  # before clipping
    learning_rates: dict[str, float]  # part -> learning rate
    target_tokens: int
    tokens: int  # all tokens without padding
    padding_share: float  # padding over all positions
    samples: int
    images: int = 0
    seconds: float = 0.0
    data_seconds: float = 0.0
    compute_seconds: float = 0.0  # forward and backward
    optimizer_seconds: float = 0.0
    tokens_per_second: float | None = None
    samples_per_second: float | None = None
    mfu: float | None = None  # model FLOPs utilisation, share of the device's peak
    peak_memory_bytes: int | None = None
    updated: bool = True  # False: no optimizer step was taken
    # Numbers of a line that have no field here, and what an objective measures besides, by name.
    further: dict[str, float | None] = field(default_factory=dict[str, float | None])


@dataclass(frozen=True, kw_only=True, slots=True)
class NonFinite(Event):
    """A loss or gradient was not finite, so the optimizer did not move."""

    type: Literal["non_finite"] = "non_finite"
    step: int
    what: Literal["loss", "gradient"]
    in_a_row: int
    records: tuple[str, ...] = ()  # file:line of the samples of that step


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation(Event):
    """Validation over the whole validation set."""

    type: Literal["evaluation"] = "evaluation"
    step: int
    loss: float | None  # nats per target token
    perplexity: float | None
    token_accuracy: float | None
    entropy: float | None
    target_tokens: int
    samples: int
    seconds: float
    best: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplePrediction(Event):
    """A validation record answered by the model."""

    type: Literal["sample_prediction"] = "sample_prediction"
    step: int
    file: str
    line: int
    prompt: str
    truth: str
    answer: str
    reasoning: str | None = None
    new_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointPublished(Event):
    """A checkpoint appeared under its final name, its files synced and hashed before."""

    type: Literal["checkpoint_published"] = "checkpoint_published"
    step: int
    path: str  # relative to the run directory
    bytes: int
    seconds: float
    reason: Literal["schedule", "command", "stop", "end", "signal", "orphan"]
    best: bool = False
    validation_loss: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointPruned(Event):
    """An old checkpoint was removed."""

    type: Literal["checkpoint_pruned"] = "checkpoint_pruned"
    step: int
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRejected(Event):
    """A damaged checkpoint was set aside."""

    type: Literal["checkpoint_rejected"] = "checkpoint_rejected"
    step: int
    path: str  # where it lies now
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointFailed(Event):
    """A checkpoint could not be written; the earlier ones are untouched."""

    type: Literal["checkpoint_failed"] = "checkpoint_failed"
    step: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalWritten(Event):
    """final/ holds the result, or what there was when the run was stopped."""

    type: Literal["final_written"] = "final_written"
    step: int
    path: str
    partial: bool
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandDone(Event):
    """A command took effect."""

    type: Literal["command_done"] = "command_done"
    id: str
    command: CommandName
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice(Event):
    """Something a person should know that is no fault: changed versions, CPU mode, an edit."""

    type: Literal["notice"] = "notice"
    topic: str
    message: str
    step: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerEnded(Event):
    """The trainer's own last word."""

    type: Literal["trainer_ended"] = "trainer_ended"
    state: Literal["finished", "stopped", "failed"]
    step: int
    message: str = ""


TrainerEvent = (
    AttemptStarted
    | Resumed
    | Phase
    | DataIndexed
    | Planned
    | PartTuned
    | TrainabilityProved
    | RecordSkipped
    | Step
    | NonFinite
    | Evaluation
    | SamplePrediction
    | CheckpointPublished
    | CheckpointPruned
    | CheckpointRejected
    | CheckpointFailed
    | FinalWritten
    | CommandDone
    | Notice
    | TrainerEnded
)
