"""Runs with a supervisor of their own and a child instead of a trainer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.supervisor.children import SupervisedChild


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SupervisedChild]:
    root = tmp_path / "runs" / "a-run"
    root.mkdir(parents=True)
    child = SupervisedChild(root)
    child.configure()
    yield child
    child.clean_up()
