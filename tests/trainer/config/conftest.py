"""A folder with data, and a way to write configurations into it."""

from collections.abc import Callable
from pathlib import Path

import pytest

BASE = """\
model:
  path: Qwen/Qwen3-VL-2B-Instruct
data:
  train: train.jsonl
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration beside `train.jsonl` and returns its path."""
    (tmp_path / "train.jsonl").write_text("{}\n")

    def write(text: str = "", name: str = "run.yaml", base: str = BASE) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(base + text, encoding="utf-8")
        return path

    return write
