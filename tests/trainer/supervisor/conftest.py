"""Runs with a supervisor of their own and a child instead of a trainer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.supervisor.children import SupervisedChild, supervised_child


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SupervisedChild]:
    with supervised_child(tmp_path / "runs" / "a-run") as child:
        yield child
