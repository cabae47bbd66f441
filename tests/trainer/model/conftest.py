"""Tiny checkpoints of the older families."""

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
