"""Tiny checkpoints of the older families, and records of every kind."""

import json
from pathlib import Path

import pytest

from trainer.demo.tiny import build_tiny_checkpoint


@pytest.fixture(scope="session")
def families(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("families")
    return {
        "qwen3_vl": tiny_checkpoint,
        "qwen2_5_vl": build_tiny_checkpoint(folder / "qwen2_5_vl", family="qwen2_5_vl"),
        "qwen2_vl": build_tiny_checkpoint(folder / "qwen2_vl", family="qwen2_vl"),
    }


@pytest.fixture(scope="session")
def data_file(shapes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, text between them, and two pictures in one sample."""
    lines = shapes[0].read_text().splitlines()
    pair = next(line for line in lines if line.count('"image"') > 2)
    messages = [{"role": "user", "content": "Say five."}]
    text = json.dumps({"messages": messages, "response": "Five, as you asked."})
    path = tmp_path_factory.mktemp("packed") / "data.jsonl"
    path.write_text("\n".join([lines[0], text, pair, lines[1]]) + "\n")
    return path
