"""What the events of a run add up to, decided once for everybody who reads them."""

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import fmean, median
from typing import Any, ClassVar, Literal, cast

from trainer.run.attempt import Attempt
from trainer.run.codec import decode_fields
from trainer.run.columns import StepRows, TelemetryRows, step_row, telemetry_row
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
TELEMETRY_SLACK = TELEMETRY_POINTS * 5 // 4  # at which it is cut back to that
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
    # Columns: the numbers of Step by name, `learning_rate.PART`, and the further ones.
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

    last_time: float = 0.0  # Unix seconds of the newest event
    broken_lines: int = 0  # in what was read; counted by the reader
    unknown_types: int = 0
    partial: bool = False  # whether the reader left out the middle of a long file

    _skipped_keys: set[int] = field(default_factory=set[int], repr=False)
    _telemetry_rows: int = 0
    _recent_telemetry: deque[Telemetry | dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=RECENT_TELEMETRY)
    )

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
    def recent_telemetry(self) -> Sequence[Telemetry]:
        """The newest samples; those that came in blocks become events when somebody looks."""
        recent = self._recent_telemetry
        for place, sample in enumerate(recent):
            if isinstance(sample, dict):
                recent[place] = cast(Telemetry, decode_fields(sample))
        return cast(Sequence[Telemetry], recent)

    @property
    def objects_dropped(self) -> int | None:
        """How many objects augmentation left out of the samples; None: it leaves out none."""
        column = self.steps["objects_dropped"]
        return int(sum(it for it in column if not isnan(it))) if column else None

    @property
    def mean_save_seconds(self) -> float | None:
        """How long a checkpoint takes."""
        known = [c.seconds for c in self.checkpoints.values() if c.seconds is not None]
        return fmean(known) if known else None

    @property
    def last_save_seconds(self) -> float | None:
        """How long the newest checkpoint took, whatever the clock said meanwhile."""
        timed = [it for it in self.checkpoints.values() if it.seconds is not None]
        return max(timed, key=lambda it: (it.attempt, it.step)).seconds if timed else None

    @property
    def remaining_seconds(self) -> float | None:
        """How long the steps to come will take at the recent pace; None: unknown, or not live."""
        recent = self.steps.last("seconds", REMAINING_WINDOW)
        if self.total_steps is None or not recent or self.current.exit:
            return None
        return fmean(recent) * max(self.total_steps - self.step, 0)

    @property
    def measured_seconds(self) -> float:
        """How long the newest attempt went on at least, by a clock that nobody sets; 0: unknown."""
        begun, ended = self.current.supervisor, self.current.exit
        if begun and ended:
            return max(ended.elapsed - begun.elapsed, 0.0)
        newest = self.recent_telemetry[-1] if self.recent_telemetry else None
        return newest.elapsed if newest and newest.attempt == self.attempt else 0.0

    # --- events -------------------------------------------------------------------------------

    def apply(self, event: AnyEvent) -> None:
        """Take in one event."""
        self._meet(event.attempt, event.time)
        handler = self._handlers.get(type(event))
        if handler:
            handler(self, event)
        if event.attempt == self.current.number:
            self.current.apply(event)

    def apply_rows(self, rows: StepRows | TelemetryRows) -> None:
        """Take in many steps or samples at once, as if one by one."""
        if isinstance(rows, StepRows):
            self._meet(rows.last.attempt, rows.newest_time)
            self.steps.extend(rows.columns)
            self.step = rows.last.step
            self.last_step = rows.last
            if rows.last.attempt == self.current.number:
                self.current.apply(rows.last)
        else:
            self._meet(rows.attempt, rows.newest_time)
            self._recent_telemetry.extend(rows.recent)
            self._extend_telemetry(rows)

    def _meet(self, attempt: int, time: float) -> None:
        """Note the newest attempt and the newest time."""
        if attempt > self.current.number:
            self.current = Attempt(attempt)
        if time > self.last_time:
            self.last_time = time

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
        self.steps.append(step_row(event))

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
        self._recent_telemetry.append(event)
        self._telemetry_rows += 1
        self.telemetry.append({"sample": self._telemetry_rows, **telemetry_row(event)})
        if len(self.telemetry) > TELEMETRY_SLACK:
            self.telemetry.drop_first(len(self.telemetry) - TELEMETRY_POINTS)

    def _extend_telemetry(self, rows: TelemetryRows) -> None:
        count, begin = len(rows.columns["time"]), 0
        while begin < count:
            end = min(count, begin + TELEMETRY_SLACK + 1 - len(self.telemetry))
            numbers = range(self._telemetry_rows + 1, self._telemetry_rows + 1 + end - begin)
            self.telemetry.extend({"sample": array("d", numbers), **rows.part(begin, end)})
            self._telemetry_rows += end - begin
            begin = end
            if len(self.telemetry) > TELEMETRY_SLACK:
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
