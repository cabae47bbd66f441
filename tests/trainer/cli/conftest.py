"""Runs with a child instead of a trainer, and the command line in processes of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trainer.supervisor.children import SupervisedChild, supervised_child
from trainer.supervisor.python import python_environment

Qvl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SupervisedChild]:
    with supervised_child(tmp_path / "runs" / "a-run") as child:
        yield child


@pytest.fixture
def qvl(tmp_path: Path) -> Qvl:
    """Run a command to its end, in a folder whose `runs` are the test's."""

    def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trainer.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**python_environment(), "QVL_RUNS": str(tmp_path / "runs"), **environment},
            timeout=60,
        )

    return command
