"""One real run with two checkpoints, copied for every fault that is done to it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.training import Trained, Training, events_of
from trainer.run.events import Step
from trainer.run.layout import RunLayout

# A constant rate: the length of a run then does not decide its numbers.
OPTIONS = ("checkpoint.every_steps=2", "schedule.name=constant", "schedule.warmup_steps=1")
LONGER = "training.max_steps=6"


@dataclass(frozen=True)
class Kept:
    """A run that was trained to step 4, with checkpoints at steps 2 and 4."""

    training: Training
    expected: dict[int, float | None]  # losses of the same run, never interrupted, to step 6

    @property
    def layout(self) -> RunLayout:
        """Where it lies."""
        return RunLayout(self.training.folder / "run")

    def checkpoint(self, step: int) -> Path:
        """Return the folder of a checkpoint."""
        return self.layout.checkpoint(step)

    def resumed(self, *options: str, attempt: int = 2) -> Trained:
        """Prepare the next attempt."""
        return self.training(*OPTIONS, LONGER, *options, attempt=attempt)

    def losses(self) -> dict[int, float | None]:
        """Return the loss of every step, of the last attempt that took it."""
        return {event.step: event.loss for event in events_of(self.layout, Step)}


@pytest.fixture(scope="session")
def trained_once(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> Kept:
    """The run, and what it would come to."""
    folder = tmp_path_factory.mktemp("kept")
    training = Training(folder, tiny_checkpoint, shapes)
    training(*OPTIONS).go()
    longer = training(*OPTIONS, LONGER, name="longer")
    longer.go()
    return Kept(training, {event.step: event.loss for event in longer.of(Step)})


@pytest.fixture
def trainings(tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Training:
    """Return what prepares runs of their own, from options."""
    return Training(tmp_path, tiny_checkpoint, shapes)


@pytest.fixture
def kept(trained_once: Kept, tmp_path: Path) -> Kept:
    """A copy of the run, to be damaged."""
    shutil.copytree(trained_once.layout.root, tmp_path / "run")
    training = trained_once.training
    return Kept(Training(tmp_path, training.checkpoint, training.shapes), trained_once.expected)


@pytest.fixture(scope="session")
def dense_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 dense records with a summary and two or three boxes each."""
    folder = tmp_path_factory.mktemp("dense")
    lines: list[str] = []
    for number in range(60):
        picture = Image.new("RGB", (96, 64), (number, 90, 255 - number))
        boxes = [[place * 32, 8, place * 32 + 20, 40] for place in range(2 + number % 2)]
        for box in boxes:
            picture.paste((255, number, 0), (box[0], box[1], box[2], box[3]))
        picture.save(folder / f"{number}.png")
        objects = [{"bbox_2d": box, "desc": f"box {place}"} for place, box in enumerate(boxes)]
        record = {"image": f"{number}.png", "objects": objects, "summary": f"boxes {len(boxes)}"}
        lines.append(json.dumps(record))
    path = folder / "dense.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path
