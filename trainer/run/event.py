"""What every event of a run carries, and the names that events share."""

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1

PhaseName = Literal[
    "download", "index", "load", "vision_cache", "train", "evaluate", "save", "final"
]
Part = Literal["vision", "aligner", "language"]
CommandName = Literal["stop", "checkpoint", "evaluate"]
EndState = Literal["finished", "stopped", "failed", "crashed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What every line carries; the writer fills it in."""

    seq: int = 0  # counts from 0 in every attempt and file
    time: float = 0.0  # Unix seconds
    elapsed: float = 0.0  # monotonic seconds since the writer started
    attempt: int = 0  # counts from 1
