"""Real tiny checkpoints and data, built once a session."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from tests.program import Program
    from tests.trainer_processes import Run

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


@pytest.fixture
def make_run(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> "Iterator[Callable[..., Run]]":
    """Return a function that makes a run directory, on which trainer processes can be started."""
    from tests.trainer_processes import run_maker

    with run_maker(tmp_path, tiny_checkpoint, shapes) as make:
        yield make


@pytest.fixture
def make_program(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> "Iterator[Callable[..., Program]]":
    """Return a function that makes `qvl` train the tiny model on the shapes, under options."""
    from tests.program import Program

    made: list[Program] = []

    def make(*options: str) -> Program:
        fixed = (
            f"model.path={tiny_checkpoint}",
            f"data.train={shapes[0]}",
            f"data.cache_dir={tmp_path / 'cache'}",
        )
        made.append(Program(tmp_path, [*fixed, *options]))
        return made[-1]

    yield make
    for program in made:
        program.clean_up()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a disk in memory with some options."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk in memory needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def mixed_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 records of one or two pictures, 20 of them text only."""
    from trainer.demo.shapes import write_shapes

    folder = tmp_path_factory.mktemp("mixed")
    lines = write_shapes(folder, train=160, validation=4, seed=3)[0].read_text().splitlines()
    for number in range(20):
        messages = [{"role": "user", "content": f"Say {number}."}]
        record = {"messages": messages, "response": f"{number}, as you asked."}
        lines.insert(number * 9, json.dumps(record))
    path = folder / "mixed.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path
