"""Data of every kind opened for inspection, with a real tiny checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image, ImageDraw

from trainer.config.load import load_config
from trainer.inspect.inspector import Inspector
from trainer.inspect.opened import open_data

Look = Callable[..., Inspector]


@pytest.fixture(scope="session")
def look(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Opens a file, or records that are written to one, under given options."""

    def inspector(records: Path | list[Any], *options: str) -> Inspector:
        if isinstance(records, list):
            path = tmp_path_factory.mktemp("records") / "train.jsonl"
            lines = (it if isinstance(it, bytes) else orjson.dumps(it) for it in records)
            path.write_bytes(b"".join(line + b"\n" for line in lines))
        else:
            path = records
        own = (f"model.path={tiny_checkpoint}", f"data.train={path}")
        return Inspector(open_data(load_config("balanced", [*own, *options]), "test"))

    return inspector


@pytest.fixture(scope="session")
def dense_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures with a box, a quad and a line in each; the fourth record states a wrong size."""
    folder = tmp_path_factory.mktemp("dense")
    records = []
    for number in range(6):
        width, height = ((320, 240), (200, 300))[number % 2]
        image = Image.new("RGB", (width, height), (20 * number, 100, 150))
        box = [width // 8, height // 5, width // 2, height // 2]
        ImageDraw.Draw(image).rectangle(box, fill="red")
        image.save(folder / f"{number}.png")
        quad = [150, 120, 190, 120, 190, 160, 150, 160]
        records.append(
            {
                "images": [f"{number}.png"],
                "objects": [
                    {"bbox_2d": box, "desc": f"red {number}"},
                    {"quad": quad, "desc": "quad"},
                    {"line": [0, 0, width, height], "desc": "line"},
                ],
                "width": width + (number == 3),
                "height": height,
                "summary": f"summary {number}",
            }
        )
    path = folder / "dense.jsonl"
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path
