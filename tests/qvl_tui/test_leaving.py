"""The terminal is left as it was, however the screen ends."""

import signal
import sys
from pathlib import Path

import pytest

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import record_run

COMMAND = [sys.executable, "-c", "from qvl_tui.cli import main; main()"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name)
def test_a_screen_that_is_ended_from_outside_leaves_the_terminal_as_it_was(
    number: signal.Signals, tmp_path: Path
):
    record_run(tmp_path, "shapes", steps=30, end="finished")
    with PseudoTerminal(COMMAND, environment={"QVL_RUNS": str(tmp_path)}) as terminal:
        terminal.wait_for("shapes")
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == 128 + number
        terminal.wait_for("\x1b[?1049l")
        terminal.wait_for("\x1b[?25h")
        assert b"Traceback" not in terminal.output


def test_a_screen_whose_terminal_is_gone_ends(tmp_path: Path):
    record_run(tmp_path, "shapes", steps=30, end="finished")
    with PseudoTerminal(COMMAND, environment={"QVL_RUNS": str(tmp_path)}) as terminal:
        terminal.wait_for("shapes")
        terminal.vanish()
        assert terminal.process.wait(20) == 128 + signal.SIGHUP
