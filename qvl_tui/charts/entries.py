"""The charts there are: which numbers of a run each of them shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from qvl_tui.charts.axes import TableName, table_of
from trainer.run.series import Table
from trainer.run.state import RunState
from trainer.run.text import sanitise

PERCENT = 100.0
GIGABYTES = 1e-9
FURTHER = "further."  # begins the key of a chart of a number that this version does not know


@dataclass(frozen=True)
class Source:
    """A column to draw; with `*` in its name, all that fit it, such as those of every GPU."""

    label: str  # before what the `*` stands for
    column: str
    table: TableName = "steps"

    @property
    def several(self) -> bool:
        """Whether it stands for any number of columns."""
        return "*" in self.column


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One chart of the catalogue."""

    key: str
    title: str
    sources: tuple[Source, ...]
    unit: str = ""
    scale: float = 1.0
    smoothed: bool = False
    y_range: tuple[float, float] | None = None

    @property
    def validated(self) -> bool:
        """Whether it draws the evaluations."""
        return any(source.table == "evaluations" for source in self.sources)


def _measure(key: str, title: str, *, validated: bool = False) -> Entry:
    """Return the chart of a noisy number of each step."""
    train = Source("train" if validated else title, key)
    validation = (Source("validation", key, "evaluations"),) if validated else ()
    return Entry(key=key, title=title, sources=(train, *validation), smoothed=True)


def _share(key: str, title: str, source: Source) -> Entry:
    return Entry(key=key, title=title, sources=(source,), unit="%", scale=PERCENT)


def _telemetry(key: str, title: str, unit: str, source: Source, scale: float = 1.0) -> Entry:
    source = replace(source, table="telemetry")
    y_range = (0.0, 100.0) if unit == "%" else None
    return Entry(key=key, title=title, sources=(source,), unit=unit, scale=scale, y_range=y_range)


ENTRIES = (
    _measure("loss", "loss", validated=True),
    _measure("token_accuracy", "token accuracy", validated=True),
    _measure("gradient_norm", "gradient norm"),
    Entry(key="learning_rate", title="learning rate", sources=(Source("", "learning_rate.*"),)),
    _measure("entropy", "entropy", validated=True),
    Entry(
        key="throughput",
        title="throughput",
        unit="tok/s",
        sources=(Source("throughput", "tokens_per_second"),),
        smoothed=True,
    ),
    Entry(
        key="step_time",
        title="step time",
        unit="s",
        sources=(
            Source("step", "seconds"),
            Source("forward+backward", "compute_seconds"),
            Source("data", "data_seconds"),
            Source("optimizer", "optimizer_seconds"),
        ),
        smoothed=True,
    ),
    replace(_share("mfu", "MFU", Source("MFU", "mfu")), smoothed=True),
    _telemetry("gpu_load", "GPU load", "%", Source("GPU", "gpu*.utilization"), PERCENT),
    _telemetry(
        "gpu_memory", "GPU memory", "GB", Source("GPU", "gpu*.memory_used_bytes"), GIGABYTES
    ),
    _telemetry("gpu_power", "GPU power", "W", Source("GPU", "gpu*.power_watts")),
    _telemetry(
        "gpu_temperature", "GPU temperature", "°C", Source("GPU", "gpu*.temperature_celsius")
    ),
    _telemetry("gpu_clock", "GPU clock", "MHz", Source("GPU", "gpu*.sm_clock_mhz")),
    Entry(
        key="peak_memory",
        title="peak memory",
        unit="GB",
        scale=GIGABYTES,
        sources=(Source("peak memory", "peak_memory_bytes"),),
    ),
    Entry(
        key="tokens_per_step",
        title="tokens per step",
        sources=(Source("all", "tokens"), Source("target", "target_tokens")),
        smoothed=True,
    ),
    _share("padding", "padding", Source("padding", "padding_share")),
    Entry(
        key="samples_per_second",
        title="samples per second",
        sources=(Source("samples per second", "samples_per_second"),),
        smoothed=True,
    ),
    _telemetry("cpu_load", "CPU load", "%", Source("CPU", "cpu_share"), PERCENT),
    Entry(
        key="host_memory",
        title="host memory",
        unit="GB",
        scale=GIGABYTES,
        sources=(
            Source("all", "memory_used_bytes", "telemetry"),
            Source("trainer", "trainer_memory_bytes", "telemetry"),
        ),
    ),
    _telemetry("disk_free", "disk free", "GB", Source("disk free", "disk_free_bytes"), GIGABYTES),
)
NOT_CHARTED = {"step", "time", "epoch", "samples", "images"}
CHARTED = {source.column for entry in ENTRIES for source in entry.sources}


def entries(state: RunState) -> list[Entry]:
    """Return the charts of one run, also those in which there is nothing to see."""
    return [*ENTRIES, *_further_entries(state)]


def _further_entries(state: RunState) -> list[Entry]:
    """Return a chart for every number of the steps that no other chart shows."""
    return [
        Entry(
            key=FURTHER + column,
            title=(title := sanitise(column, 40).replace("_", " ")),
            sources=(Source(title, column),),
            smoothed=True,
        )
        for column in sorted(state.steps.columns.keys() - CHARTED - NOT_CHARTED)
        if not column.startswith("learning_rate.")
    ]


def compared_entries(states: Sequence[RunState]) -> list[Entry]:
    """Return the charts of one run, but validation in charts of its own.

    Only the first number of a chart is compared, or what every part or GPU has of it.
    """
    further = {entry.key: entry for state in states for entry in _further_entries(state)}
    compared: list[Entry] = []
    for entry in (*ENTRIES, *further.values()):
        compared.append(replace(entry, sources=entry.sources[:1]))
        if entry.validated:
            key, title = f"validation_{entry.key}", f"validation {entry.title}"
            compared.append(replace(entry, key=key, title=title, sources=entry.sources[1:]))
    return compared


def columns(state: RunState, entry: Entry) -> Iterator[tuple[Source, str, str]]:
    """Yield a chart's sources with the label and name of each of their columns."""
    for source in entry.sources:
        if not source.several:
            yield source, source.label, source.column
            continue
        begin, _, end = source.column.partition("*")
        names = [
            name[len(begin) : len(name) - len(end)]
            for name in table_of(state, source.table).columns
            if name.startswith(begin) and name.endswith(end)
        ]
        for name in sorted(names, key=lambda it: (len(it), it)):  # GPU 10 after GPU 9
            yield source, source.label + sanitise(name, 20), f"{begin}{name}{end}"


def has_values(state: RunState, entry: Entry) -> bool:
    """Whether a chart has anything to show."""
    return any(
        _any_known(table_of(state, source.table), column)
        for source, _, column in columns(state, entry)
    )


def _any_known(table: Table, column: str) -> bool:
    values = table[column]
    if len(values) and isfinite(values[-1]):
        return True
    return bool(np.isfinite(np.asarray(values, dtype=np.float64)).any())


def y_range(state: RunState, entry: Entry) -> tuple[float, float] | None:
    """Return fixed bounds: the memory of a GPU is shown against what it has."""
    if entry.key != "gpu_memory" or not state.recent_telemetry:
        return entry.y_range
    totals = [gpu.memory_total_bytes for gpu in state.recent_telemetry[-1].gpus]
    most = max((total for total in totals if total), default=None)
    return (0.0, most * GIGABYTES) if most else None
