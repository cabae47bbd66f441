"""How fast runs of the same model went on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from trainer.config.errors import ConfigError, ModelMissing
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.run.codec import decode
from trainer.run.events import Step
from trainer.run.layout import RunLayout, list_runs

RUNS_LOOKED_AT = 20
TAIL_BYTES = 2**18


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that a sample took in an earlier run."""

    run: str
    seconds_per_sample: float


def earlier_pace(config: RunConfig, runs: Path) -> Pace | None:
    """Return the pace of the newest run that trained the same parts of the same model."""
    for layout in sorted(list_runs(runs), key=_changed, reverse=True)[:RUNS_LOOKED_AT]:
        if _is_alike(config, layout) and (seconds := _seconds_per_sample(layout)):
            return Pace(run=layout.name, seconds_per_sample=seconds)
    return None


def _changed(layout: RunLayout) -> float:
    try:
        return layout.events.stat().st_mtime
    except OSError:
        return 0.0


def _is_alike(config: RunConfig, layout: RunLayout) -> bool:
    try:
        other = load_config(layout.config, files_must_exist=False)
    except (ConfigError, ModelMissing):
        return False
    return (
        other.model.path == config.model.path
        and other.model.device == config.model.device
        and (other.tune.vision, other.tune.aligner, other.tune.language)
        == (config.tune.vision, config.tune.aligner, config.tune.language)
    )


def _seconds_per_sample(layout: RunLayout) -> float | None:
    """Return the median over the last steps; the first ones of a run are slower."""
    paces: list[float] = []
    for line in _last_lines(layout.events):
        try:
            event = decode(line)
        except ValueError:
            continue
        if isinstance(event, Step) and event.samples:
            paces.append(event.seconds / event.samples)
    return median(paces) if paces else None


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES)
            file.seek(start)
            lines = file.read().splitlines()
    except OSError:
        return []
    return lines[1:] if start else lines
