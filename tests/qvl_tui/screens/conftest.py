"""Recorded runs for tests of the list of runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.qvl_tui.screens.home import record_six, two_live


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in each of six states."""
    folder = tmp_path_factory.mktemp("recorded")
    record_six(folder)
    return folder


@pytest.fixture
def runs(recorded: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the recorded runs, of which two live."""
    with two_live(recorded, tmp_path / "runs") as folder:
        yield folder
