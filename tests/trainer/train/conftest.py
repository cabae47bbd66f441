"""Runs in this process, and dense records."""

import json
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from tests.training import Training


@pytest.fixture(autouse=True)
def fresh_accelerator() -> None:
    """Forget the precision of an earlier test; a process has one Accelerator state."""
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def prepared(tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Training:
    """Return a function that prepares a run (again, with the same name) from options."""
    return Training(tmp_path, tiny_checkpoint, shapes)


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
