"""The events of a run: one frozen dataclass a type."""

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

PhaseName = Literal[
    "download", "index", "load", "vision_cache", "train", "evaluate", "save", "final"
]
Part = Literal["vision", "aligner", "language"]
CommandName = Literal["stop", "checkpoint", "evaluate"]
EndState = Literal["finished", "stopped", "failed", "crashed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What every line carries; the writer fills it in."""

    seq: int = 0  # counts from 0 in every attempt and file
    time: float = 0.0  # Unix seconds
    elapsed: float = 0.0  # monotonic seconds since the writer started
    attempt: int = 0  # counts from 1


# --- events.jsonl, written by rank 0 ----------------------------------------------------------


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


# --- monitor.jsonl, written by the supervisor --------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisorStarted(Event):
    """An attempt begins: who watches it."""

    type: Literal["supervisor_started"] = "supervisor_started"
    pid: int
    host: str
    boot_id: str
    ranks: int = 1
    restart: int = 0  # which automatic restart this is; 0: started by a person


@dataclass(frozen=True, kw_only=True, slots=True)
class RankStarted(Event):
    """A trainer process was started."""

    type: Literal["rank_started"] = "rank_started"
    rank: int
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandReceived(Event):
    """The supervisor saw a command; refused ones say why."""

    type: Literal["command_received"] = "command_received"
    id: str
    command: str
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRung(Event):
    """A rung of the stop ladder was reached."""

    type: Literal["stop_rung"] = "stop_rung"
    rung: Literal["asked", "sigterm", "sigkill"]
    reason: str
    next_seconds: float | None = None  # until the next rung


@dataclass(frozen=True, kw_only=True, slots=True)
class Stalled(Event):
    """No progress for too long, or progress again."""

    type: Literal["stalled"] = "stalled"
    stalled: bool
    silent_seconds: float
    limit_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert(Event):
    """A rule over the run's state fired."""

    type: Literal["alert"] = "alert"
    rule: str
    severity: Literal["warning", "bad"]
    step: int
    value: float | None
    message: str
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit(Event):
    """The exit record: how the attempt ended."""

    type: Literal["exit"] = "exit"
    state: EndState
    code: int  # 0 finished, 3 stopped, 2 bad config or data, 1 failed or crashed
    signal: str | None = None  # of the trainer, such as SIGKILL
    step: int = 0
    message: str = ""
    will_restart: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OnExitDone(Event):
    """The on_exit command ran."""

    type: Literal["on_exit_done"] = "on_exit_done"
    code: int | None  # None: it did not end in time
    output: str = ""


# --- telemetry.jsonl, written by the supervisor ------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuSample:
    """One GPU at one moment; None: not available."""

    index: int
    uuid: str
    name: str
    utilization: float | None = None  # share of time, 0 to 1
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    temperature_celsius: float | None = None
    sm_clock_mhz: int | None = None
    throttle_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Telemetry(Event):
    """GPU and host at one moment."""

    type: Literal["telemetry"] = "telemetry"
    gpus: tuple[GpuSample, ...] = ()
    gpu_note: str = ""  # why there are none
    cpu_share: float | None = None  # of all cores, 0 to 1
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    trainer_memory_bytes: int | None = None  # resident, all ranks and their workers
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None


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
MonitorEvent = (
    SupervisorStarted
    | RankStarted
    | CommandReceived
    | StopRung
    | Stalled
    | Alert
    | Exit
    | OnExitDone
)
AnyEvent = TrainerEvent | MonitorEvent | Telemetry
