"""Real runs in this process."""

from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

from tests.training import Training


@pytest.fixture(autouse=True)
def fresh_accelerator() -> None:
    """Forget the precision of an earlier test; a process has one Accelerator state."""
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def prepared(tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Training:
    """Return a function that prepares a run (again, with the same name) from options."""
    return Training(tmp_path, tiny_checkpoint, shapes)
