"""Actions are commands of the program, run as processes."""

import asyncio
from pathlib import Path

from qvl_tui.actions import run_qvl
from tests.qvl_tui.recorded import record_run


def test_what_a_command_writes_as_json_comes_back(tmp_path: Path):
    record_run(tmp_path, "shapes", end="finished")
    outcome = asyncio.run(run_qvl("status", "shapes", "--json", runs=tmp_path))
    assert outcome.done
    assert outcome.value["state"] == "finished"
    assert outcome.message == ""


def test_a_command_that_refuses_says_why(tmp_path: Path):
    record_run(tmp_path, "shapes", end="finished")
    outcome = asyncio.run(run_qvl("stop", "shapes", "--json", runs=tmp_path))
    assert not outcome.done
    assert outcome.value is None
    assert "shapes does not run: it is finished" in outcome.message
