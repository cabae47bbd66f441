"""Fault 21: a terminal that nobody reads, a screen that is killed, a connection that is cut.

How little a frozen terminal slows a run is measured by tests/benchmarks/frozen_terminal.py.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.qvl_tui.loopback_ssh import LoopbackSsh
from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.training import (
    ENVIRONMENT,
    QVL,
    wait_for_state,
    wait_for_step,
    write_configuration,
)
from trainer.run.layout import RunLayout
from trainer.supervisor.python import python_environment

FROZEN_SECONDS = 6.0  # three times what it takes for a screen to freeze
ENDLESS = 1_000_000

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Iterator[RunLayout]:
    """A run that trains until the test is over."""
    source = write_configuration(tmp_path / "shapes.yaml", tiny_checkpoint, shapes, ENDLESS)
    layout = RunLayout(tmp_path / "runs" / "shapes")
    runs = ("--runs-dir", str(layout.root.parent))
    subprocess.run([QVL, "train", str(source), "--detach", *runs], check=True)
    wait_for_step(layout, 5)
    yield layout
    subprocess.run([QVL, "stop", "shapes", "--wait", *runs], check=True)


def watch(layout: RunLayout) -> PseudoTerminal:
    """Open a screen on the run."""
    nobodys = {name: str(layout.root.parent) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    environment = {**ENVIRONMENT, **nobodys, "QVL_RUNS": str(layout.root.parent)}
    return PseudoTerminal([QVL, "watch", "shapes"], environment=environment)


def test_fault_21_a_frozen_and_then_killed_screen_is_not_noticed_and_a_new_one_shows_the_same(
    layout: RunLayout,
):
    with watch(layout) as terminal:
        terminal.wait_for("gradient norm", seconds=60)
        terminal.frozen = True
        at_first, written = wait_for_step(layout, 0), len(terminal.output)
        time.sleep(FROZEN_SECONDS)
        frozen_until = wait_for_step(layout, at_first + 20, seconds=60)
        assert len(terminal.output) == written
        terminal.frozen = False
        wait_until_shown(terminal, frozen_until)

        terminal.process.kill()
        terminal.process.wait()
    killed_at = wait_for_step(layout, 0)
    goes_on_until = wait_for_step(layout, killed_at + 20)
    with watch(layout) as another:
        another.wait_for("gradient norm", seconds=60)
        another.wait_for("running")
        wait_until_shown(another, goes_on_until)


def wait_until_shown(terminal: PseudoTerminal, step: int, seconds: float = 60.0) -> None:
    """Return once the head of the screen shows a step from `step` on."""
    deadline = time.monotonic() + seconds
    columns = 120
    while time.monotonic() < deadline:
        columns ^= 1
        terminal.resize(columns, 40)  # else only the digits that changed are written
        time.sleep(1)
        tail = bytes(terminal.output[-100_000:]).decode(errors="replace")
        shown = re.findall(rf"([\d,]+)/{ENDLESS:,}", tail)
        if any(int(number.replace(",", "")) >= step for number in shown):
            return
    raise AssertionError(f"the screen did not show step {step} or a later one")


def test_fault_21_a_run_outlives_its_connection_and_the_next_one_can_stop_it(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    write_configuration(tmp_path / "shapes.yaml", tiny_checkpoint, shapes, ENDLESS)
    (tmp_path / "keys").mkdir()
    layout = RunLayout(tmp_path / "runs" / "shapes")
    paths = python_environment()["PYTHONPATH"]  # a login has none
    variables = f"PYTHONPATH={paths} OMP_NUM_THREADS=1 XDG_CONFIG_HOME={tmp_path}"
    setting = f"cd {tmp_path} && export {variables} &&"
    with LoopbackSsh(tmp_path / "keys") as server:
        with PseudoTerminal(server.command(f"{setting} {QVL} train shapes.yaml")) as terminal:
            terminal.wait_for("step ", seconds=60)
            wait_for_step(layout, 5)
            terminal.process.kill()
        reached = wait_for_step(layout, 0)
        wait_for_step(layout, reached + 20)

        with PseudoTerminal(server.command(f"{setting} {QVL} watch shapes")) as terminal:
            terminal.wait_for("running")
            terminal.wait_for("gradient norm")
            terminal.send("x")
            terminal.wait_for("Stop this run?")
            terminal.send("y")
            terminal.wait_for("checkpoint of step", seconds=60)
            wait_for_state(layout, "stopped")
            terminal.wait_for("stopped at step", seconds=10)
