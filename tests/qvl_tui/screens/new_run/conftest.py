"""A person without settings, a runs folder, and a configuration that could be started."""

from pathlib import Path

import pytest
import yaml

from qvl_tui.saved import save_configuration
from trainer.supervisor.python import python_environment


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("PYTHONPATH", python_environment()["PYTHONPATH"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def filled(tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Path:
    """A named configuration that could be started."""
    stated = {
        "extends": "balanced",
        "model": {"path": str(tiny_checkpoint), "device": "cpu", "quantization": "none"},
        "data": {"train": [str(shapes[0])], "workers": 0},
        "training": {"max_steps": 1},
        "checkpoint": {"final_zip": False},
    }
    return save_configuration("ready", yaml.safe_dump(stated))
