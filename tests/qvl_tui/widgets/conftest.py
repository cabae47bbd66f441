"""Recorded runs for the panes to show."""

from pathlib import Path

import pytest

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from tests.qvl_tui.recorded import record_run
from trainer.run.layout import RunLayout


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    record_run(runs, "shapes", gpus=2, resumed_at=200)
    record_run(runs, "other", steps=300, floor=0.6)
    return runs


@pytest.fixture
def desk(runs: Path) -> Desk:
    desk = Desk(runs)
    desk.settings.smoothing = 0.0
    return desk


@pytest.fixture
def feed(runs: Path) -> Feed:
    return Feed.of(RunLayout(runs / "shapes"))
