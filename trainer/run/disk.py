"""Forecast from the sizes of written checkpoints whether the disk holds those to come."""

from dataclasses import dataclass
from typing import Any

from trainer.run.state import RunState

SPARE_BYTES = 64 * 2**20  # that a save leaves free for events and logs


@dataclass(frozen=True)
class DiskShortage:
    """The disk runs full before the run is over."""

    free_bytes: int
    wanted_bytes: int  # that the run will still take
    step: int  # of the first checkpoint that does not fit
    seconds: float | None  # until then; None: no step was timed


def most_checkpoints(keep_last: int, *, keep_best: bool) -> int:
    """Return how many checkpoints lie there at once; a new one comes before an old one goes."""
    return keep_last + keep_best + 1


def disk_shortage(state: RunState) -> DiskShortage | None:
    """Return when the disk will be full at the sizes measured; None: all fits, or it is unknown."""
    kept, total, started = state.kept_checkpoints, state.total_steps, state.current.started
    free = state.recent_telemetry[-1].disk_free_bytes if state.recent_telemetry else None
    if free is None or not kept or total is None or started is None:
        return None
    options = _options(started.config)
    if options is None:
        return None
    every, most = options
    size = max(point.bytes for point in kept)
    to_come = max(min(most - len(kept), -(-total // every) - state.step // every), 0)
    fitting = max(free - SPARE_BYTES, 0) // size if size else to_come
    if fitting >= to_come:
        return None
    step = min((state.step // every + fitting + 1) * every, total)
    pace = state.median_step_seconds
    seconds = None if pace is None else (step - state.step) * pace
    return DiskShortage(free, to_come * size + SPARE_BYTES, step, seconds)


def _options(config: dict[str, Any]) -> tuple[int, int] | None:
    """Return the steps between checkpoints, and how many lie there at once."""
    options: Any = config.get("checkpoint")
    try:
        most = most_checkpoints(int(options["keep_last"]), keep_best=bool(options["keep_best"]))
        return max(int(options["every_steps"]), 1), most
    except (KeyError, TypeError, ValueError):
        return None  # the events of another version
