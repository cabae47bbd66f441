"""Decode many lines at once: consecutive steps and samples become columns, without an event each.

What comes out is what `decode` makes of line after line; wherever lines are not plain and alike,
that is the way taken.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import lt
from typing import Any, cast

import orjson

from trainer.run.codec import STEP_FIELDS, UnknownEventType, decode_fields, is_number
from trainer.run.columns import (
    GPU_COLUMNS,
    HOST_COLUMNS,
    STEP_COLUMNS,
    StepRows,
    TelemetryRows,
    number_column,
)
from trainer.run.events import AnyEvent, Step
from trainer.run.state import RECENT_TELEMETRY

LEAST_ROWS = 8  # fewer lines are not worth a block
CHUNK_LINES = 256  # whose objects fit into the processor's cache

Rows = Sequence[dict[str, Any]]
Columns = dict[str, tuple[Any, ...]]
Decoded = AnyEvent | StepRows | TelemetryRows

_INT, _NUMBER, _NONE = frozenset({int}), frozenset({int, float}), frozenset({type(None)})
_TEXT, _BOOL = frozenset({str}), frozenset({bool})
_STAMP = {"seq": _INT, "time": _NUMBER, "elapsed": _NUMBER, "attempt": _INT, "type": _TEXT}
_STEP_TYPES = _STAMP | {
    "step": _INT,
    "epoch": _NUMBER,
    "loss": _NUMBER | _NONE,
    "token_accuracy": _NUMBER | _NONE,
    "entropy": _NUMBER | _NONE,
    "gradient_norm": _NUMBER | _NONE,
    "target_tokens": _INT,
    "tokens": _INT,
    "padding_share": _NUMBER,
    "samples": _INT,
    "images": _INT,
    "seconds": _NUMBER,
    "data_seconds": _NUMBER,
    "compute_seconds": _NUMBER,
    "optimizer_seconds": _NUMBER,
    "tokens_per_second": _NUMBER | _NONE,
    "samples_per_second": _NUMBER | _NONE,
    "mfu": _NUMBER | _NONE,
    "peak_memory_bytes": _INT | _NONE,
    "updated": _BOOL,
}
_HOST_TYPES = _STAMP | {
    "gpu_note": _TEXT,
    "cpu_share": _NUMBER | _NONE,
    "memory_used_bytes": _INT | _NONE,
    "memory_total_bytes": _INT | _NONE,
    "trainer_memory_bytes": _INT | _NONE,
    "disk_free_bytes": _INT | _NONE,
    "disk_total_bytes": _INT | _NONE,
}
_GPU_TYPES = {
    "index": _INT,
    "uuid": _TEXT,
    "name": _TEXT,
    "utilization": _NUMBER | _NONE,
    "memory_used_bytes": _INT | _NONE,
    "memory_total_bytes": _INT | _NONE,
    "power_watts": _NUMBER | _NONE,
    "power_limit_watts": _NUMBER | _NONE,
    "temperature_celsius": _NUMBER | _NONE,
    "sm_clock_mhz": _INT | _NONE,
    "lost": frozenset({bool}),
}


@dataclass
class DecodedLines:
    """Events and blocks of them in the order of the file, and how many lines were none."""

    items: list[Decoded] = field(default_factory=list[Decoded])
    broken_lines: int = 0
    unknown_types: int = 0

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.items or self.broken_lines or self.unknown_types)


def decode_lines(lines: Sequence[bytes]) -> DecodedLines:
    """Return what the lines say; those that say nothing are counted, empty ones are passed over."""
    found = DecodedLines()
    for begin in range(0, len(lines), CHUNK_LINES):
        parsed = _parse(lines[begin : begin + CHUNK_LINES], found)
        at = 0
        for shape, group in groupby(map(_shape, parsed)):
            rows = parsed[at : at + len(list(group))]
            at += len(rows)
            block = _block(shape, rows)
            if block:
                found.items.append(block)
            else:
                _decode_each(rows, found)
    return found


def _shape(row: Any) -> tuple[str, ...]:
    return tuple(cast(dict[str, Any], row)) if type(row) is dict else ()


def _block(shape: tuple[str, ...], rows: list[Any]) -> StepRows | TelemetryRows | None:
    """Return lines that have the same fields in the same order as columns."""
    if len(rows) < LEAST_ROWS or "type" not in shape:
        return None
    kind = rows[0]["type"]
    return _BLOCKS[kind](rows) if type(kind) is str and kind in _BLOCKS else None


def _parse(lines: Sequence[bytes], found: DecodedLines) -> list[Any]:
    try:
        return [orjson.loads(line) for line in lines]
    except ValueError:
        return _parse_each(lines, found)


def _parse_each(lines: Sequence[bytes], found: DecodedLines) -> list[Any]:
    parsed: list[Any] = []
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            parsed.append(orjson.loads(line))
        except ValueError:
            found.broken_lines += 1
    return parsed


def _decode_each(rows: Iterable[Any], found: DecodedLines) -> None:
    for row in rows:
        try:
            found.items.append(decode_fields(row))
        except UnknownEventType:
            found.unknown_types += 1
        except ValueError:
            found.broken_lines += 1


# --- blocks -------------------------------------------------------------------------------------


def _step_block(rows: Rows) -> StepRows | None:
    """Return steps with the same fields as columns; None: decode them one by one."""
    values = _columns(rows)
    needed = (*STEP_COLUMNS, "attempt", "learning_rates")
    if not (_are_plain(values, _STEP_TYPES) and _has(values, needed)):
        return None
    rates = _columns_of_objects(values["learning_rates"])
    named = _columns_of_objects(values.get("further", ({},)))
    if rates is None or not _are_plain(rates, dict.fromkeys(rates, _NUMBER)):
        return None
    if named is None or not _are_plain(named, dict.fromkeys(named, _NUMBER | _NONE)):
        return None
    columns = {name: number_column(values[name]) for name in STEP_COLUMNS}
    if not _ascends(columns["step"]):
        return None
    columns |= {f"learning_rate.{part}": number_column(rates[part]) for part in rates}
    for name, column in _further(values, named).items():
        columns.setdefault(name, number_column(column))
    return StepRows(columns, cast(Step, decode_fields(rows[-1])), max(columns["time"]))


def _telemetry_block(rows: Rows) -> TelemetryRows | None:
    """Return samples of the same GPUs as columns; None: decode them one by one."""
    values = _columns(rows)
    if not (_are_plain(values, _HOST_TYPES) and _has(values, (*HOST_COLUMNS, "attempt", "gpus"))):
        return None
    if not _are_lists(values["gpus"]) or len(set(map(len, values["gpus"]))) > 1:
        return None
    columns = {name: number_column(values[name]) for name in HOST_COLUMNS}
    for gpu in zip(*values["gpus"], strict=True):
        more = _gpu_columns(gpu)
        if more is None:
            return None
        columns |= more
    recent = tuple(rows[-RECENT_TELEMETRY:])
    return TelemetryRows(columns, recent, rows[-1]["attempt"], max(columns["time"]))


def _gpu_columns(samples: tuple[Any, ...]) -> "dict[str, array[float]] | None":
    values = _columns_of_objects(samples)
    needed = ("index", "uuid", "name", *GPU_COLUMNS)
    if values is None or not (_are_plain(values, _GPU_TYPES) and _has(values, needed)):
        return None
    reasons = values.get("throttle_reasons", ())
    if not _are_lists(reasons) or not all(type(it) is str for some in reasons for it in some):
        return None
    index, *others = set(values["index"])
    if others:
        return None
    return {f"gpu{index}.{name}": number_column(values[name]) for name in GPU_COLUMNS}


def _columns(rows: Rows) -> Columns:
    """Return the values of objects that have the same fields in the same order, by field."""
    return dict(zip(rows[0], zip(*[row.values() for row in rows], strict=True), strict=True))


def _columns_of_objects(values: tuple[Any, ...]) -> Columns | None:
    """Return the same of what may be anything; None: these are not objects alike."""
    if set(map(type, values)) != {dict}:
        return None
    objects = cast(tuple[dict[str, Any], ...], values)
    shapes = [tuple(it) for it in objects]
    return _columns(objects) if shapes.count(shapes[0]) == len(shapes) else None


def _are_plain(values: Columns, types: Mapping[str, frozenset[type]]) -> bool:
    """Return whether every field is of its very type, and all rows of one kind and attempt."""
    for name, column in values.items():
        if name in types and not types[name].issuperset(map(type, column)):
            return False
    return all(len(set(values.get(name, ()))) <= 1 for name in ("type", "attempt"))


def _has(values: Columns, names: Iterable[str]) -> bool:
    return all(name in values for name in names)


def _are_lists(values: tuple[Any, ...]) -> bool:
    return all(type(it) is list for it in values)


def _ascends(column: "array[float]") -> bool:
    return all(map(lt, column, column[1:]))


def _further(values: Columns, named: Columns) -> Columns:
    """Return the further metrics in the order in which line after line would bring them."""
    at_once: Columns = {}
    later: list[tuple[int, int, str, tuple[Any, ...]]] = []
    for place, name in enumerate(it for it in values if it not in STEP_FIELDS):
        numbers = tuple(it if is_number(it) else None for it in values[name])
        first = next((row for row, it in enumerate(numbers) if it is not None), None)
        if first == 0:
            at_once[name] = numbers
        elif first is not None:
            later.append((first, place, name, numbers))
    more = {name: it for _, _, name, it in sorted(later) if name not in named}
    return at_once | named | more


_BLOCKS: dict[str, Callable[[Rows], StepRows | TelemetryRows | None]] = {
    "step": _step_block,
    "telemetry": _telemetry_block,
}
