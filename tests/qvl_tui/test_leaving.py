"""The terminal is left as it was, however the screen ends."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.recorded_events import Recipe, step_event
from trainer.run.codec import encode
from trainer.run.layout import RunLayout

COMMAND = [sys.executable, "-c", "from qvl_tui.cli import main; main()"]
LONG_STEPS = 300_000  # of which reading takes seconds
PLACEHOLDER = 987_654_321
LEAVING_SECONDS = 8  # on a machine that is busy


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


@pytest.mark.parametrize("told", [True, False], ids=["by a signal", "by nothing"])
def test_a_screen_whose_terminal_is_gone_ends(tmp_path: Path, told: bool):
    record_run(tmp_path, "shapes", steps=30, end="finished")
    with PseudoTerminal(COMMAND, environment={"QVL_RUNS": str(tmp_path)}) as terminal:
        terminal.wait_for("shapes")
        terminal.vanish(told=told)
        assert terminal.process.wait(20) == 128 + signal.SIGHUP


def test_leaving_does_not_wait_for_a_long_run_that_is_still_being_read(tmp_path: Path):
    lengthen(record_run(tmp_path, "shapes", steps=30), LONG_STEPS)
    command = [*COMMAND, "watch", "shapes"]
    with PseudoTerminal(command, environment={"QVL_RUNS": str(tmp_path)}) as terminal:
        terminal.wait_for("reading")
        readers = psutil.Process(terminal.process.pid).children()
        terminal.send("q")
        assert terminal.process.wait(LEAVING_SECONDS) == 0
        terminal.wait_for("\x1b[?1049l")
        terminal.wait_for("\x1b[?25h")
        assert b"Traceback" not in terminal.output
        assert f"{LONG_STEPS:,}/" not in terminal.output.decode(errors="replace")
        assert readers, "no process was reading ahead"
        assert not any(it.is_running() for it in readers)


def lengthen(layout: RunLayout, steps: int) -> None:
    """Let a run go on up to so many steps."""
    line = encode(replace(step_event(1, Recipe()), step=PLACEHOLDER, attempt=1))
    begin, end = line.split(b"%d" % PLACEHOLDER)
    with layout.events.open("ab") as file:
        file.writelines(b"%b%d%b" % (begin, step, end) for step in range(31, steps + 1))
