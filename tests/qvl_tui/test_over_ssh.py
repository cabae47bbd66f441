"""Over a real SSH connection: what is started there outlives it, and is found again."""

from pathlib import Path

import pytest

from tests.qvl_tui.loopback_ssh import LoopbackSsh
from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.training import QVL, wait_for_state, wait_for_step, write_configuration
from trainer.run.layout import RunLayout

ENDLESS = 1_000_000


@pytest.mark.slow
def test_a_run_outlives_its_connection_and_the_next_one_can_stop_it(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    write_configuration(tmp_path / "shapes.yaml", tiny_checkpoint, shapes, ENDLESS)
    (tmp_path / "keys").mkdir()
    layout = RunLayout(tmp_path / "runs" / "shapes")
    setting = f"cd {tmp_path} && export OMP_NUM_THREADS=1 XDG_CONFIG_HOME={tmp_path} &&"
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
