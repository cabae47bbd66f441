"""What the list of runs says about one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from trainer.run.layout import RunLayout
from trainer.run.state import RunStateName
from trainer.words.numbers import UNKNOWN
from trainer.words.setup import method_words, model_name

FAMILY = "Qwen3-VL-"  # of models, what goes without saying
TROUBLE: tuple[RunStateName, ...] = ("failed", "crashed", "stalled")


@dataclass(frozen=True)
class Disk:
    """What a run takes on the disk."""

    bytes: int
    checkpoints: int


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """One run as far as a line and its details need it; every text is fit to be shown."""

    layout: RunLayout
    name: str  # the display name, or the folder's
    state: RunStateName
    title: str = ""  # the display name; empty: there is none
    live: bool = False  # whether it goes on
    step: int = 0
    total: int | None = None
    loss: float | None = None
    validation: float | None = None  # the best
    validation_step: int | None = None
    step_seconds: float | None = None
    left_seconds: float | None = None
    started: float = 0.0  # Unix seconds of the newest attempt; 0: unknown
    measured: float = 0.0  # seconds of the newest attempt by a clock that nobody sets; 0: unknown
    touched: float = 0.0  # Unix seconds of the newest event; 0: unknown
    points: Sequence[float] = ()  # of the loss, over the whole run
    doing: str = ""  # the phase under way where it is not training
    reason: str = ""  # why it is in trouble, or stops
    remedy: str = ""
    note: str = ""
    alert: str = ""  # the newest, with its advice
    alerts: int = 0
    skipped: int | None = 0  # None: not counted, the run is long
    attempt: int = 0
    owner: str = ""  # who runs it, or ran it last
    gpus: tuple[tuple[int, float | None], ...] = ()  # index and load, of a run that lives
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def model(self) -> str:
        """The model's name without its family, `2B-Instruct`."""
        name = model_name(self.config)
        return name.removeprefix(FAMILY) or name or UNKNOWN

    @cached_property
    def method(self) -> str:
        """What of the model is trained, and how."""
        deciding = {name: self.config.get(name) for name in ("model", "tune")}
        return " ".join(method_words(deciding)) or UNKNOWN

    @cached_property
    def options(self) -> dict[str, object]:
        """The configuration by dotted key."""
        return _flat(self.config)

    @property
    def trouble(self) -> bool:
        """Whether somebody should look at it."""
        return self.state in TROUBLE

    @property
    def says(self) -> str:
        """What matters more than its numbers: why it is in trouble, or how it begins or ends."""
        return self.reason or (self.doing if self.state == "starting" else "")

    @property
    def progress(self) -> float | None:
        """The share of the steps that is done."""
        return min(self.step / self.total, 1.0) if self.total else None

    def elapsed(self, now: float) -> float | None:
        """Return how long the newest attempt has gone on, or went on, in seconds."""
        end = now if self.live else self.touched
        return max(end - self.started, self.measured) if self.started and end else None

    def age(self, now: float) -> float | None:
        """Return how long ago something happened in it, in seconds; 0 while it lives."""
        if self.live:
            return 0.0
        return max(now - self.touched, 0.0) if self.touched else None

    def facts(self, now: float) -> dict[str, object]:
        """Return what a query can ask for."""
        return {
            **self.options,
            "state": self.state,
            "name": [self.name, self.layout.name],
            "model": None if self.model == UNKNOWN else [self.model, self._model_path],
            "method": self.method,
            "note": self.note,
            "reason": self.reason,
            "step": self.step,
            "total": self.total,
            "progress": self.progress,
            "loss": self.loss,
            "val": self.validation,
            "speed": self.step_seconds,
            "attempt": self.attempt,
            "alerts": self.alerts,
            "skipped": self.skipped,
            "age": self.age(now),
            "elapsed": self.elapsed(now),
            "left": self.left_seconds,
        }

    @property
    def _model_path(self) -> object:
        return self.options.get("model.path", "")


def _flat(config: Mapping[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            section = cast("Mapping[str, object]", value)
            values |= {f"{name}.{key}": entry for key, entry in section.items()}
        else:
            values[name] = value
    return values
