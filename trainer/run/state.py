"""What the events of a run add up to, decided once for everybody who reads them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, ClassVar, Literal

from trainer.run.attempt import Attempt
from trainer.run.events import (
    Alert,
    AnyEvent,
    CheckpointFailed,
    CheckpointPruned,
    CheckpointPublished,
    CheckpointRejected,
    DataIndexed,
    Evaluation,
    FinalWritten,
    NonFinite,
    Notice,
    Part,
    PartTuned,
    Phase,
    Planned,
    RecordSkipped,
    Resumed,
    SamplePrediction,
    Step,
    Telemetry,
)
from trainer.run.series import Table

RunStateName = Literal[
    "starting", "running", "stopping", "finished", "stopped", "failed", "crashed", "stalled"
]

REMAINING_WINDOW = 50  # steps whose mean duration is taken for that of the steps to come
MEDIAN_WINDOW = 101
TELEMETRY_POINTS = 86_400  # a day, at one a second
RECENT_TELEMETRY = 300
KEPT_TEXTS = 1_000  # of samples, skipped records and notices each


@dataclass
class Checkpoint:
    """A checkpoint the run wrote, and what became of it."""

    step: int
    path: str
    status: Literal["published", "pruned", "rejected"]
    bytes: int = 0
    seconds: float | None = None  # that saving took
    reason: str = ""  # why it was written, or rejected
    best: bool = False
    validation_loss: float | None = None
    attempt: int = 0
    time: float = 0.0


@dataclass
class RunState:
    """A run as its events tell it; feed it every line of the three files in each file's order.

    The order between the files does not matter: what belongs to one attempt is told by its
    number. After a file was replaced, begin with a new RunState.
    """

    current: Attempt = field(default_factory=Attempt)  # the newest attempt
    plan: Planned | None = None
    data: dict[tuple[str, str], DataIndexed] = field(
        default_factory=dict[tuple[str, str], DataIndexed]
    )  # by split and file
    parts: dict[Part, PartTuned] = field(default_factory=dict[Part, PartTuned])

    step: int = 0  # optimizer steps done
    last_step: Step | None = None
    # Columns: the numbers of Step by name, and `learning_rate.PART`.
    steps: Table = field(default_factory=lambda: Table("step"))
    # Columns: the numbers of Evaluation by name; the same points as `evaluation_events`.
    evaluations: Table = field(default_factory=lambda: Table("step"))
    evaluation_events: list[Evaluation] = field(default_factory=list[Evaluation])
    non_finite: deque[NonFinite] = field(default_factory=lambda: deque(maxlen=KEPT_TEXTS))
    resumes: list[Resumed] = field(default_factory=list[Resumed])
    samples: deque[SamplePrediction] = field(default_factory=lambda: deque(maxlen=KEPT_TEXTS))

    checkpoints: dict[int, Checkpoint] = field(default_factory=dict[int, Checkpoint])  # by step
    checkpoint_failure: CheckpointFailed | None = None  # None: the last save went well
    final: FinalWritten | None = None
    skipped_count: int = 0  # different records, however often they came round
    skipped: deque[RecordSkipped] = field(default_factory=lambda: deque(maxlen=KEPT_TEXTS))
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=KEPT_TEXTS))
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=KEPT_TEXTS))

    # Columns: `time`, the host's numbers by name, and `gpuINDEX.NAME`.
    telemetry: Table = field(default_factory=lambda: Table("sample"))
    recent_telemetry: deque[Telemetry] = field(
        default_factory=lambda: deque(maxlen=RECENT_TELEMETRY)
    )

    last_time: float = 0.0  # Unix seconds of the newest event
    broken_lines: int = 0  # in what was read; counted by the reader
    unknown_types: int = 0
    partial: bool = False  # whether the reader left out the middle of a long file

    _skipped_keys: set[int] = field(default_factory=set[int], repr=False)
    _telemetry_rows: int = 0

    # --- what follows from the events ---------------------------------------------------------

    @property
    def attempt(self) -> int:
        """The number of the newest attempt; 0 before the first."""
        return self.current.number

    @property
    def phase(self) -> Phase | None:
        """What the newest attempt is at."""
        return self.current.phase

    @property
    def total_steps(self) -> int | None:
        """How many steps the run will have."""
        return self.plan.total_steps if self.plan else None

    @property
    def epoch(self) -> float | None:
        """Passes over the data."""
        return self.last_step.epoch if self.last_step else None

    @property
    def last_evaluation(self) -> Evaluation | None:
        """The newest evaluation."""
        return self.evaluation_events[-1] if self.evaluation_events else None

    @property
    def best_evaluation(self) -> Evaluation | None:
        """The evaluation marked best last."""
        return next((point for point in reversed(self.evaluation_events) if point.best), None)

    @property
    def kept_checkpoints(self) -> list[Checkpoint]:
        """The checkpoints that lie in the run directory, by step."""
        kept = (point for point in self.checkpoints.values() if point.status == "published")
        return sorted(kept, key=lambda point: point.step)

    @property
    def median_step_seconds(self) -> float | None:
        """The median duration of the recent steps."""
        recent = self.steps.last("seconds", MEDIAN_WINDOW)
        return median(recent) if recent else None

    @property
    def mean_save_seconds(self) -> float | None:
        """How long a checkpoint takes."""
        known = [c.seconds for c in self.checkpoints.values() if c.seconds is not None]
        return fmean(known) if known else None

    @property
    def remaining_seconds(self) -> float | None:
        """How long the steps to come will take at the recent pace; None: unknown, or not live."""
        recent = self.steps.last("seconds", REMAINING_WINDOW)
        if self.total_steps is None or not recent or self.current.exit:
            return None
        return fmean(recent) * max(self.total_steps - self.step, 0)

    # --- events -------------------------------------------------------------------------------

    def apply(self, event: AnyEvent) -> None:
        """Take in one event."""
        if event.attempt > self.current.number:
            self.current = Attempt(event.attempt)
        if event.time > self.last_time:
            self.last_time = event.time
        handler = self._handlers.get(type(event))
        if handler:
            handler(self, event)
        if event.attempt == self.current.number:
            self.current.apply(event)

    def _on_resumed(self, event: Resumed) -> None:
        self._drop_after(event.step)
        self.resumes.append(event)
        self.step = event.step

    def _drop_after(self, step: int) -> None:
        """Forget the points of earlier attempts that this attempt will make anew."""
        self.steps.keep_until(step)
        self.evaluations.keep_until(step)
        self.evaluation_events = [e for e in self.evaluation_events if e.step <= step]
        self.non_finite = _until(self.non_finite, step)
        self.samples = _until(self.samples, step)
        if self.last_step and self.last_step.step > step:
            self.last_step = None

    def _on_planned(self, event: Planned) -> None:
        self.plan = event

    def _on_data_indexed(self, event: DataIndexed) -> None:
        self.data[event.split, event.file] = event

    def _on_part_tuned(self, event: PartTuned) -> None:
        self.parts[event.part] = event

    def _on_record_skipped(self, event: RecordSkipped) -> None:
        key = hash((event.split, event.file, event.line))
        if key not in self._skipped_keys:
            self._skipped_keys.add(key)
            self.skipped_count += 1
            self.skipped.append(event)

    def _on_step(self, event: Step) -> None:
        self.step = event.step
        self.last_step = event
        row: dict[str, float | None] = {
            "step": event.step,
            "time": event.time,
            "epoch": event.epoch,
            "loss": event.loss,
            "token_accuracy": event.token_accuracy,
            "entropy": event.entropy,
            "gradient_norm": event.gradient_norm,
            "target_tokens": event.target_tokens,
            "tokens": event.tokens,
            "padding_share": event.padding_share,
            "samples": event.samples,
            "images": event.images,
            "seconds": event.seconds,
            "data_seconds": event.data_seconds,
            "compute_seconds": event.compute_seconds,
            "optimizer_seconds": event.optimizer_seconds,
            "tokens_per_second": event.tokens_per_second,
            "samples_per_second": event.samples_per_second,
            "mfu": event.mfu,
            "peak_memory_bytes": event.peak_memory_bytes,
        }
        for part, rate in event.learning_rates.items():
            row[f"learning_rate.{part}"] = rate
        self.steps.append(row)

    def _on_non_finite(self, event: NonFinite) -> None:
        self.non_finite.append(event)

    def _on_evaluation(self, event: Evaluation) -> None:
        self.evaluation_events.append(event)
        self.evaluations.append(
            {
                "step": event.step,
                "time": event.time,
                "loss": event.loss,
                "perplexity": event.perplexity,
                "token_accuracy": event.token_accuracy,
                "entropy": event.entropy,
                "seconds": event.seconds,
            }
        )

    def _on_sample(self, event: SamplePrediction) -> None:
        self.samples.append(event)

    def _on_checkpoint_published(self, event: CheckpointPublished) -> None:
        self.checkpoint_failure = None
        if event.best:
            for earlier in self.checkpoints.values():
                earlier.best = False
        self.checkpoints[event.step] = Checkpoint(
            step=event.step,
            path=event.path,
            status="published",
            bytes=event.bytes,
            seconds=event.seconds,
            reason=event.reason,
            best=event.best,
            validation_loss=event.validation_loss,
            attempt=event.attempt,
            time=event.time,
        )

    def _on_checkpoint_pruned(self, event: CheckpointPruned) -> None:
        self._retire(Checkpoint(step=event.step, path=event.path, status="pruned"))

    def _on_checkpoint_rejected(self, event: CheckpointRejected) -> None:
        self._retire(
            Checkpoint(step=event.step, path=event.path, status="rejected", reason=event.reason)
        )

    def _retire(self, gone: Checkpoint) -> None:
        """Note that a checkpoint is no longer there to resume from."""
        known = self.checkpoints.setdefault(gone.step, gone)
        known.status, known.path, known.best = gone.status, gone.path, False
        known.reason = gone.reason or known.reason

    def _on_checkpoint_failed(self, event: CheckpointFailed) -> None:
        self.checkpoint_failure = event

    def _on_final_written(self, event: FinalWritten) -> None:
        self.final = event

    def _on_notice(self, event: Notice) -> None:
        self.notices.append(event)

    def _on_alert(self, event: Alert) -> None:
        self.alerts.append(event)

    def _on_telemetry(self, event: Telemetry) -> None:
        self.recent_telemetry.append(event)
        self._telemetry_rows += 1
        self.telemetry.append({"sample": self._telemetry_rows, **_telemetry_row(event)})
        if len(self.telemetry) > TELEMETRY_POINTS * 5 // 4:
            self.telemetry.drop_first(len(self.telemetry) - TELEMETRY_POINTS)

    _handlers: ClassVar[dict[type, Callable[["RunState", Any], None]]] = {
        Resumed: _on_resumed,
        Planned: _on_planned,
        DataIndexed: _on_data_indexed,
        PartTuned: _on_part_tuned,
        RecordSkipped: _on_record_skipped,
        Step: _on_step,
        NonFinite: _on_non_finite,
        Evaluation: _on_evaluation,
        SamplePrediction: _on_sample,
        CheckpointPublished: _on_checkpoint_published,
        CheckpointPruned: _on_checkpoint_pruned,
        CheckpointRejected: _on_checkpoint_rejected,
        CheckpointFailed: _on_checkpoint_failed,
        FinalWritten: _on_final_written,
        Notice: _on_notice,
        Alert: _on_alert,
        Telemetry: _on_telemetry,
    }


def _until(events: deque[Any], step: int) -> deque[Any]:
    return deque((event for event in events if event.step <= step), maxlen=events.maxlen)


def _telemetry_row(event: Telemetry) -> dict[str, float | None]:
    row: dict[str, float | None] = {
        "time": event.time,
        "cpu_share": event.cpu_share,
        "memory_used_bytes": event.memory_used_bytes,
        "trainer_memory_bytes": event.trainer_memory_bytes,
        "disk_free_bytes": event.disk_free_bytes,
    }
    for gpu in event.gpus:
        row[f"gpu{gpu.index}.utilization"] = gpu.utilization
        row[f"gpu{gpu.index}.memory_used_bytes"] = gpu.memory_used_bytes
        row[f"gpu{gpu.index}.power_watts"] = gpu.power_watts
        row[f"gpu{gpu.index}.temperature_celsius"] = gpu.temperature_celsius
        row[f"gpu{gpu.index}.sm_clock_mhz"] = gpu.sm_clock_mhz
    return row
