"""Which numbers of steps and telemetry become columns, and blocks of such rows."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, cast

from trainer.run.events import GpuSample, Step, Telemetry

STEP_COLUMNS = (
    "step",
    "time",
    "epoch",
    "loss",
    "token_accuracy",
    "entropy",
    "gradient_norm",
    "target_tokens",
    "tokens",
    "padding_share",
    "samples",
    "images",
    "seconds",
    "data_seconds",
    "compute_seconds",
    "optimizer_seconds",
    "tokens_per_second",
    "samples_per_second",
    "mfu",
    "peak_memory_bytes",
)
HOST_COLUMNS = (
    "time",
    "cpu_share",
    "memory_used_bytes",
    "trainer_memory_bytes",
    "disk_free_bytes",
)
GPU_COLUMNS = (
    "utilization",
    "memory_used_bytes",
    "power_watts",
    "temperature_celsius",
    "sm_clock_mhz",
)


@dataclass(frozen=True)
class StepRows:
    """Consecutive steps of one attempt, in ascending order, as columns."""

    columns: dict[str, "array[float]"]
    last: Step
    newest_time: float  # Unix seconds


@dataclass(frozen=True)
class TelemetryRows:
    """Consecutive samples of one attempt as columns."""

    columns: dict[str, "array[float]"]
    recent: tuple[dict[str, Any], ...]  # the newest of them, each a parsed line
    attempt: int
    newest_time: float  # Unix seconds

    def part(self, begin: int, end: int) -> dict[str, "array[float]"]:
        """Return some of the rows."""
        return {name: column[begin:end] for name, column in self.columns.items()}


def step_row(event: Step) -> dict[str, float | None]:
    """Return the columns of one step; a further metric never takes the place of a known one."""
    row: dict[str, float | None] = {name: getattr(event, name) for name in STEP_COLUMNS}
    for part, rate in event.learning_rates.items():
        row[f"learning_rate.{part}"] = rate
    for name, value in event.further.items():
        row.setdefault(name, value)
    return row


def telemetry_row(event: Telemetry) -> dict[str, float | None]:
    """Return the columns of one sample."""
    row: dict[str, float | None] = {name: getattr(event, name) for name in HOST_COLUMNS}
    for gpu in event.gpus:
        row |= _gpu_row(gpu)
    return row


def _gpu_row(gpu: GpuSample) -> dict[str, float | None]:
    return {f"gpu{gpu.index}.{name}": getattr(gpu, name) for name in GPU_COLUMNS}


def number_column(values: Sequence[float | None]) -> "array[float]":
    """Return a column; what is unknown becomes NaN."""
    try:
        return array("d", cast(Sequence[float], values))
    except TypeError:  # there is a None
        return array("d", [nan if value is None else value for value in values])
