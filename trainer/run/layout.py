"""Where the files of a run lie."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHECKPOINT_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class RunLayout:
    """The paths inside one run directory."""

    root: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.root.name

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.yaml"

    @property
    def data(self) -> Path:
        """Hash and counts of every data file."""
        return self.root / "data.json"

    @property
    def events(self) -> Path:
        """The trainer's events."""
        return self.root / "events.jsonl"

    @property
    def monitor(self) -> Path:
        """The supervisor's events."""
        return self.root / "monitor.jsonl"

    @property
    def monitor_before(self) -> Path:
        """The supervisor's events before those, once the file was moved aside."""
        return self.root / "monitor.jsonl.1"

    @property
    def telemetry(self) -> Path:
        """Samples of GPU and host."""
        return self.root / "telemetry.jsonl"

    @property
    def telemetry_before(self) -> Path:
        """The samples before those, once the file was rotated."""
        return self.root / "telemetry.jsonl.1"

    @property
    def commands(self) -> Path:
        """What people asked the run to do."""
        return self.root / "commands.jsonl"

    @property
    def console(self) -> Path:
        """Standard output and error of all processes of the run."""
        return self.root / "console.log"

    @property
    def owner(self) -> Path:
        """Who runs it, for other hosts."""
        return self.root / "owner.json"

    @property
    def about(self) -> Path:
        """Display name and note."""
        return self.root / "about.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.root / "checkpoints"

    @property
    def final(self) -> Path:
        """The result."""
        return self.root / "final"

    def checkpoint(self, step: int) -> Path:
        """Return the folder of the checkpoint at `step`."""
        return self.checkpoints / f"step-{step:08d}"


def checkpoint_step(folder: Path) -> int | None:
    """Return the step a checkpoint folder is named after, or None for any other name."""
    match = CHECKPOINT_NAME.fullmatch(folder.name)
    return int(match[1]) if match else None


def runs_directory(given: Path | None) -> Path:
    """Return the folder of all runs: `given`, else QVL_RUNS, else ./runs; absolute."""
    return Path(given or os.environ.get("QVL_RUNS") or "runs").absolute()


def list_runs(runs: Path) -> list[RunLayout]:
    """Return every run under `runs`, by name; what begins with a dot is none.

    Raises:
        OSError: The folder cannot be read.

    """
    if not runs.is_dir():
        return []
    return [RunLayout(child) for child in sorted(runs.iterdir()) if _is_run(child)]


def _is_run(folder: Path) -> bool:
    try:
        return not folder.name.startswith(".") and (folder / "config.yaml").exists()
    except PermissionError:
        return True  # it is to be seen why nothing can be seen of it
