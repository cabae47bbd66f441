"""What every screen works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qvl_tui.feed import Reader
from qvl_tui.settings import Settings


@dataclass
class Desk:
    """The runs folder, the reader of runs, the view settings and the clock."""

    runs: Path
    reader: Reader = field(default_factory=Reader)
    settings: Settings = field(default_factory=Settings)
    now: Callable[[], float] = time.time  # Unix seconds; pictures for the documents set it
