"""Records looked at in a real terminal, from the form of a new run and back."""

from pathlib import Path

import pytest

from tests.qvl_tui.tmux import Tmux
from tests.qvl_tui.training import ENVIRONMENT, QVL, write_configuration


@pytest.mark.slow
def test_the_records_of_a_new_run_are_looked_at_token_by_token(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    settings = tmp_path / "settings"
    write_configuration(settings / "qvl" / "configs" / "first.yaml", tiny_checkpoint, shapes, 4)
    environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(settings)}
    with Tmux(tmp_path, environment=environment) as terminal:
        terminal.command(QVL)
        terminal.wait_for("0 runs", "start a new run")
        terminal.press("n")
        terminal.wait_for("F9 data")
        terminal.press("F3")
        terminal.wait_for("Start from")
        terminal.type("first")
        terminal.press("Enter")
        terminal.wait_for("ready to start", gone="Start from")

        terminal.press("F9")
        terminal.wait_for("train 48 records", "✓ trained", "· 9 image ·", seconds=60)
        terminal.press("Down", "Down")
        terminal.wait_for("3/48", "line 3")
        terminal.press("v")
        terminal.wait_for("validation 8 records", "✓ validated")
        terminal.press("t")
        terminal.wait_for("<|im_start|>│")
        terminal.press("Escape")
        terminal.wait_for("ready to start")
        terminal.press("Escape")
        terminal.wait_for("Leave the form?")
        terminal.press("y")
        terminal.wait_for("0 runs")
        terminal.press("q")
        terminal.wait_for_shell()

        terminal.command(f"{QVL} data browse {shapes[0]}:5 --model {tiny_checkpoint}")
        terminal.wait_for("train 48 records", "5/48", "line 5", seconds=60)
        terminal.press("Escape")
        terminal.wait_for("0 runs")
        terminal.press("q")
        terminal.wait_for_shell()
