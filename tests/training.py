"""A real run of the tiny model in this process, prepared as a rank prepares it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState

from trainer.config.load import dump_config, load_config
from trainer.run.append import EventWriter
from trainer.run.codec import decode
from trainer.run.events import AnyEvent
from trainer.run.layout import RunLayout
from trainer.train.loop import Outcome, train
from trainer.train.prepare import prepare
from trainer.train.progress import Progress
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths, Setup
from trainer.train.skipped import write_data_record


@dataclass
class Trained:
    """A run in this process."""

    setup: Setup
    progress: Progress
    requests: Requests

    def go(self) -> Outcome:
        """Train to the end."""
        with self.setup.pool:
            write_data_record(self.setup)
            return train(self.setup, self.progress, self.requests)

    def of(self, kind: type) -> list[Any]:
        """Return the events of one type, of all attempts."""
        return events_of(self.setup.run.layout, kind)


def events_of(layout: RunLayout, kind: type) -> list[Any]:
    """Return a run's events of one type."""
    events: list[AnyEvent] = [decode(line) for line in layout.events.read_bytes().splitlines()]
    return [event for event in events if isinstance(event, kind)]


@dataclass(frozen=True)
class Training:
    """Prepares runs of one tiny checkpoint in a folder."""

    folder: Path
    checkpoint: Path
    shapes: tuple[Path, Path]

    def __call__(self, *options: str, attempt: int = 1, name: str = "run") -> Trained:
        """Prepare a run (again, with the same name) from options."""
        # A process has one Accelerator state; an earlier run's precision must not stay.
        AcceleratorState._reset_state(reset_partial_state=True)
        layout = RunLayout(self.folder / name)
        layout.root.mkdir(exist_ok=True)
        fixed = (
            f"model.path={self.checkpoint}",
            "model.dtype=fp32",
            "model.quantization=none",
            f"data.train={self.shapes[0]}",
            f"data.validation={self.shapes[1]}",
            f"data.cache_dir={self.folder / 'cache'}",
            "data.workers=0",
            "optimizer.name=adamw",
            "training.max_steps=4",
            "training.threads=1",
            "evaluation.every_steps=100",
            "evaluation.at_end=false",
        )
        config = load_config("balanced", [*fixed, *options])
        layout.config.write_text(dump_config(config))
        run = RunPaths(layout, attempt, supervisor_pid=0)
        recorder = Recorder(EventWriter(layout.events, attempt))
        requests = Requests(layout, attempt, 0)
        setup, progress = prepare(run, config, recorder, requests)
        return Trained(setup, progress, requests)
