"""The whole program in a real terminal, driven by keys from the empty list to two runs compared."""

from pathlib import Path

import pytest

from tests.qvl_tui.tmux import Tmux
from tests.qvl_tui.training import ENVIRONMENT, QVL, write_configuration

STEPS = 300


@pytest.mark.slow
def test_a_run_is_started_watched_stopped_resumed_and_compared_by_keys(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    settings = tmp_path / "settings"
    write_configuration(settings / "qvl" / "configs" / "first.yaml", tiny_checkpoint, shapes, STEPS)
    environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(settings)}
    with Tmux(tmp_path, environment=environment) as terminal:
        terminal.command(QVL)
        terminal.wait_for("0 runs", "start a new run")

        start(terminal, "first")
        terminal.wait_for("● running   first", "gradient norm", seconds=60)
        stop(terminal)
        terminal.wait_for("■ stopped   first")
        terminal.press("r")
        terminal.wait_for("✓ finished   first", f"{STEPS}/{STEPS}", "100 %", seconds=120)

        terminal.press("e")
        terminal.wait_for("first-2", "F5 start")
        terminal.press("F5")
        terminal.wait_for("● running   first-2", seconds=60)
        terminal.wait_for("✓ finished   first-2", seconds=120)

        terminal.press("Escape")
        terminal.wait_for("2 runs", "first-2", "100 %")
        terminal.press("Up", "Space", "Down", "Space", "c")
        terminal.wait_for("first", "first-2", "best", seconds=20)
        terminal.press("q")
        terminal.wait_for_shell()


def start(terminal: Tmux, configuration: str) -> None:
    """Start a run from a named configuration."""
    terminal.press("n")
    terminal.wait_for("F5 start")
    terminal.press("F3")
    terminal.wait_for("Start from")
    terminal.type(configuration)
    terminal.press("Enter")
    terminal.wait_for("ready to start", gone="Start from")
    terminal.press("F5")


def stop(terminal: Tmux) -> None:
    """Stop the run that is shown, and see the stop to its end."""
    terminal.press("x")
    terminal.wait_for("Stop this run?")
    terminal.press("y")
    terminal.wait_for("acknowledged", "checkpoint of step", "stopped at step", seconds=60)
    terminal.press("Escape")
    terminal.wait_for(gone="acknowledged")  # a letter right behind an escape is taken for alt
