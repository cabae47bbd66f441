"""The terminal is left as it was, however the screen ends."""

import signal
import sys
from pathlib import Path

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import record_run


def test_a_screen_that_is_terminated_leaves_the_terminal_as_it_was(tmp_path: Path):
    record_run(tmp_path, "shapes", steps=30, end="finished")
    command = [sys.executable, "-c", "from qvl_tui.cli import main; main()"]
    with PseudoTerminal(command, environment={"QVL_RUNS": str(tmp_path)}) as terminal:
        terminal.wait_for("shapes")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(20) == 128 + signal.SIGTERM
        terminal.wait_for("\x1b[?1049l")
        terminal.wait_for("\x1b[?25h")
        assert b"Traceback" not in terminal.output
