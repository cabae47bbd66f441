"""Read every run of the folder into what the list says about it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from qvl_tui.run_line import Disk, RunLine
from trainer.run.about import NOTE_CHARACTERS
from trainer.run.layout import RunLayout, checkpoint_step
from trainer.run.liveness import Status
from trainer.run.regular import read_small
from trainer.run.state import RunState
from trainer.run.summary import RunSummary, Summaries
from trainer.run.text import sanitise
from trainer.words.lines import phase_text
from trainer.words.numbers import count

NAME_CHARACTERS = 100
TEXT_CHARACTERS = 500
DISK_SECONDS = 10.0  # between two counts of what a run takes on the disk
Stamp = tuple[int, int]


@dataclass(frozen=True)
class Listing:
    """All runs, or why they cannot be listed."""

    lines: tuple[RunLine, ...] = ()
    problem: str = ""
    missing: bool = False  # whether the folder does not exist


class Runs:
    """Reads the runs of a folder again and again; not for two threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._summaries = Summaries(folder)
        self._configs: dict[RunLayout, tuple[Stamp, Mapping[str, Any]]] = {}
        self._lines: dict[RunLayout, tuple[RunSummary, RunLine]] = {}
        self._disks: dict[RunLayout, tuple[float, Disk]] = {}  # with the time of counting

    def read(self) -> Listing:
        """Return what there is now; a damaged run is a line that says so."""
        try:
            if not self._folder.exists():
                return Listing(missing=True)
            if not self._folder.is_dir():
                return Listing(problem="is no folder")
            summaries = self._summaries.read()
        except OSError as error:
            return Listing(problem=f"cannot be read: {error.strerror or error}")
        self._lines = {it.layout: (it, self._line(it)) for it in summaries}
        return Listing(tuple(line for _, line in self._lines.values()))

    def disk(self, layout: RunLayout) -> Disk:
        """Return what a run takes on the disk, counted not long ago."""
        now = time.monotonic()
        known = self._disks.get(layout)
        if known is None or known[0] + DISK_SECONDS < now:
            known = self._disks[layout] = now, disk_of(layout)
        return known[1]

    def _line(self, summary: RunSummary) -> RunLine:
        known = self._lines.get(summary.layout)
        if known and known[0] is summary:
            return known[1]
        return line_of_run(summary, self._config(summary.layout))

    def _config(self, layout: RunLayout) -> Mapping[str, Any]:
        try:
            stat = layout.config.stat()
            stamp = stat.st_mtime_ns, stat.st_size
            known = self._configs.get(layout)
            if known is None or known[0] != stamp:
                known = self._configs[layout] = stamp, _read_config(layout.config)
        except OSError:
            return {}
        return known[1]


def _read_config(path: Path) -> Mapping[str, Any]:
    """Return a resolved configuration as it is written; empty where it is none."""
    import yaml  # once there is a run: the first picture does not wait for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = read_small(path)
    try:
        found: object = loader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def line_of_run(summary: RunSummary, config: Mapping[str, Any]) -> RunLine:
    """Return the line of a run."""
    layout, state, status = summary.layout, summary.state, summary.status
    title = sanitise(summary.about.title, NAME_CHARACTERS).strip()
    return RunLine(
        layout=layout,
        name=title or sanitise(layout.name, NAME_CHARACTERS),
        title=title,
        state=status.state,
        live=not status.over,
        step=state.step,
        total=state.total_steps,
        loss=state.last_step.loss if state.last_step else None,
        validation=summary.best.loss if summary.best else None,
        validation_step=summary.best.step if summary.best else None,
        step_seconds=state.median_step_seconds,
        left_seconds=None if status.over else state.remaining_seconds,
        started=summary.started,
        measured=state.measured_seconds,
        touched=summary.touched,
        points=summary.losses,
        doing=_doing(state, status),
        reason=_reason(layout, status),
        remedy=_remedy(summary),
        note=sanitise(summary.about.note, NOTE_CHARACTERS),
        alert=_newest_alert(state),
        alerts=sum(alert.attempt == state.attempt for alert in state.alerts),
        skipped=summary.skipped,
        attempt=status.attempt,
        owner=_owner(state, status),
        gpus=() if status.over else _gpus(state),
        config=config,
    )


def _doing(state: RunState, status: Status) -> str:
    if status.over or state.phase is None or state.phase.name == "train":
        return ""
    return sanitise(phase_text(state.phase), TEXT_CHARACTERS)


def _reason(layout: RunLayout, status: Status) -> str:
    """Return the status's message without the command that the remedy's key stands for."""
    message = status.message.removesuffix(f"; qvl resume {layout.name}")
    shown = status.state in ("failed", "crashed", "stalled", "stopping")
    return sanitise(message, TEXT_CHARACTERS) if shown else ""


def _remedy(summary: RunSummary) -> str:
    if summary.problem:
        return ""
    match summary.status.state:
        case "failed" | "crashed":
            return "r resume"
        case "stalled":
            return "x stop"
        case _:
            return ""


def _newest_alert(state: RunState) -> str:
    if not state.alerts:
        return ""
    alert = state.alerts[-1]
    told = f"step {count(alert.step)}: {alert.message}; {alert.advice}"
    return sanitise(told, TEXT_CHARACTERS)


def _owner(state: RunState, status: Status) -> str:
    who = status.owner or state.current.supervisor
    if who is None:
        return ""
    verb = "ran" if status.over else "runs"
    return sanitise(f"{verb} on {who.host}, pid {who.pid}", NAME_CHARACTERS)


def _gpus(state: RunState) -> tuple[tuple[int, float | None], ...]:
    if not state.recent_telemetry:
        return ()
    return tuple((gpu.index, gpu.utilization) for gpu in state.recent_telemetry[-1].gpus)


def disk_of(layout: RunLayout) -> Disk:
    """Return what a run takes on the disk, as far as it can be looked at."""
    total = checkpoints = 0
    for folder, names, files in os.walk(layout.root):
        if Path(folder) == layout.checkpoints:
            checkpoints = sum(checkpoint_step(Path(name)) is not None for name in names)
        total += sum(_size(os.path.join(folder, name)) for name in files)  # noqa: PTH118
    return Disk(total, checkpoints)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
