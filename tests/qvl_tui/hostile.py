"""A runs folder in which every text that can come from outside is a hostile one."""

import os
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from itertools import count
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import orjson
import yaml

from qvl_tui.saved import configurations_folder
from qvl_tui.settings import settings_path
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.recorded_events import NOW
from trainer.run.codec import encode
from trainer.run.events import AnyEvent, GpuSample, MonitorEvent, Telemetry, TrainerEvent
from trainer.run.layout import RunLayout

LONGEST_NAME_BYTES = 120


def instances(kind: Any, text: str) -> Iterator[Any]:
    """Yield a dataclass with the text in every place for text, once for every literal it takes."""
    hints = get_type_hints(kind)
    most = max((len(get_args(it)) for it in hints.values() if get_origin(it) is Literal), default=1)
    for turn in range(most):
        yield kind(**{name: _value(hint, text, turn) for name, hint in hints.items()})


def _value(hint: Any, text: str, turn: int) -> Any:
    """Return a value of a type that occurs in events; `turn` chooses among literals."""
    if is_dataclass(hint):
        return next(instances(hint, text))
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return inner[turn % len(inner)]
    if origin is tuple:
        return (_value(inner[0], text, turn),)
    if origin is dict:
        return {text: _value(inner[1], text, turn)}
    if NoneType in inner:
        return _value(next(it for it in inner if it is not NoneType), text, turn)
    return {str: text, int: 7, float: 0.5, bool: True, Any: text}[hint]


def hostile_events(kinds: tuple[type[AnyEvent], ...], text: str) -> Iterator[AnyEvent]:
    """Yield events of all these types, one second after the other."""
    numbers = count()
    for kind in kinds:
        for event in instances(kind, text):
            number = next(numbers)
            yield replace(event, seq=number, time=NOW - 300 + number, elapsed=number, attempt=1)


def hostile_run(runs: Path, name: str, text: str) -> RunLayout:
    """Write a run whose every file is full of the text."""
    layout = record_run(runs, "plain", steps=30, end="failed")
    layout = RunLayout(layout.root.rename(runs / name))
    for path, kinds in (
        (layout.events, get_args(TrainerEvent)),
        (layout.monitor, get_args(MonitorEvent)),
        (layout.telemetry, (Telemetry,)),
    ):
        with path.open("ab") as file:
            file.writelines(encode(it) for it in hostile_events(kinds, text))
            file.write(text.encode() + b"\n")
    with layout.console.open("ab") as file:
        file.write(f"{text}\n[supervisor 2026-01-01 12:00:00] {text}\nno end {text}".encode())
    layout.about.write_bytes(orjson.dumps({"title": text[:90], "note": text[:3_000]}))
    layout.data.write_bytes(orjson.dumps({text: text, "train": [{"file": text, "reason": text}]}))
    config = yaml.safe_load(layout.config.read_text())
    config["model"]["path"] = text
    config["data"]["train"] = [text]
    config["supervision"]["on_exit"] = text
    layout.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    (layout.checkpoints / file_name(text)).mkdir(parents=True)
    return layout


def refused_run(runs: Path, name: str, text: str) -> RunLayout:
    """Write a run whose configuration is refused, in words that repeat the text."""
    layout = record_run(runs, "plain", steps=30, end="finished")
    layout = RunLayout(layout.root.rename(runs / name))
    layout.config.write_text(yaml.safe_dump({text: text, "model": {text: text}}))
    layout.owner.write_bytes(orjson.dumps({"host": text, "boot_id": text, "pid": 1}))
    return layout


class HostileGpus:
    """Stands where NVML is asked: two GPUs with such names, one held by a run of the folder."""

    def __init__(self, text: str) -> None:
        self.note = text
        held = _value(GpuSample, text, 0)
        self._samples = (held, replace(held, index=8, uuid="GPU-8", memory_used_bytes=None))

    def sample(self) -> tuple[GpuSample, ...]:
        """Return what they do."""
        return self._samples

    def close(self) -> None:
        """End nothing."""


def file_name(text: str) -> str:
    """Return the text as far as it can be a file's name."""
    name = text.replace("/", "|").replace("\0", "")[:LONGEST_NAME_BYTES].encode()
    return os.fsdecode(name[:LONGEST_NAME_BYTES])


def write_hostile_settings(text: str) -> None:
    """Write view settings and named configurations of a person, full of the text."""
    path = settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    wrong = {"theme": text, "x_axis": text, "chart_filter": text, "runs_sort": text, text: text}
    path.write_bytes(orjson.dumps({**wrong, "log_y_charts": [text], "smoothing": text}))
    folder = configurations_folder()
    folder.mkdir(parents=True, exist_ok=True)
    named = folder / f"{file_name(text)}.yaml"
    named.write_text(f"# {text}\nextends: balanced\n", encoding="utf-8")
