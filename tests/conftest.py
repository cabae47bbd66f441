"""Real tiny checkpoints and data, built once a session."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip("needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads change how sums round, and two cores serve every test process."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL with the Instruct chat template."""
    from trainer.demo.tiny import build_tiny_checkpoint

    return build_tiny_checkpoint(tmp_path_factory.mktemp("instruct") / "tiny-qwen3-vl")


@pytest.fixture(scope="session")
def thinking_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL with the Thinking chat template."""
    from trainer.demo.tiny import build_tiny_checkpoint

    folder = tmp_path_factory.mktemp("thinking") / "tiny-qwen3-vl"
    return build_tiny_checkpoint(folder, template="thinking")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small shapes data set: training and validation file."""
    from trainer.demo.shapes import write_shapes

    return write_shapes(tmp_path_factory.mktemp("shapes"), train=48, validation=8, seed=7)
