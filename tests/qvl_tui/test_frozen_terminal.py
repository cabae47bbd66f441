"""A terminal that nobody reads stops the screen, never the run.

How little it slows the run is measured by tests/benchmarks/frozen_terminal.py.
"""

import subprocess
import time
from pathlib import Path

import pytest

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.training import ENVIRONMENT, QVL, wait_for_step, write_configuration
from trainer.run.layout import RunLayout

FROZEN_SECONDS = 10.0
ENDLESS = 1_000_000


@pytest.mark.slow
def test_a_run_goes_on_while_its_screen_is_frozen_and_the_screen_recovers(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    source = write_configuration(tmp_path / "shapes.yaml", tiny_checkpoint, shapes, ENDLESS)
    runs = tmp_path / "runs"
    layout = RunLayout(runs / "shapes")
    environment = {**ENVIRONMENT, "QVL_RUNS": str(runs)}
    start_command = [QVL, "train", str(source), "--detach", "--runs-dir", str(runs)]
    subprocess.run(start_command, check=True)
    try:
        wait_for_step(layout, 5)
        with PseudoTerminal([QVL, "watch", "shapes"], environment=environment) as terminal:
            terminal.wait_for("gradient norm", seconds=60)
            terminal.frozen = True
            at_first, written = wait_for_step(layout, 0), len(terminal.output)
            time.sleep(FROZEN_SECONDS)
            frozen_until = wait_for_step(layout, at_first + 20, seconds=60)
            assert len(terminal.output) == written
            terminal.frozen = False
            wait_until_shown(terminal, frozen_until)
    finally:
        stop_command = [QVL, "stop", "shapes", "--wait", "--runs-dir", str(runs)]
        subprocess.run(stop_command, check=True)


def wait_until_shown(terminal: PseudoTerminal, step: int, seconds: float = 60.0) -> None:
    """Return once the head of the screen shows a step from `step` on."""
    deadline = time.monotonic() + seconds
    columns = 120
    while time.monotonic() < deadline:
        columns ^= 1
        terminal.resize(columns, 40)  # else only the digits that changed are written
        time.sleep(1)
        tail = bytes(terminal.output[-100_000:]).decode(errors="replace")
        if any(f"{number:,}/{ENDLESS:,}" in tail for number in range(step, step + 5_000)):
            return
    raise AssertionError(f"the screen did not show step {step} or a later one")
