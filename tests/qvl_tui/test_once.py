"""`qvl watch --once`: one frame as text, for pipes and scripts."""

import os
import subprocess
from pathlib import Path

from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.training import QVL


def watch_once(runs: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    size = {"COLUMNS": "100", "LINES": "30", "QVL_RUNS": str(runs)}
    return subprocess.run(
        [QVL, "watch", *arguments, "--once"],
        capture_output=True,
        text=True,
        env={**os.environ, **size, **environment},
        timeout=60,
    )


def test_a_frame_of_a_run_goes_to_a_pipe_as_plain_text(tmp_path: Path):
    record_run(tmp_path, "shapes", end="finished")
    done = watch_once(tmp_path, "shapes")
    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (0, 30), done.stderr
    assert "✓ finished" in lines[0]
    assert "shapes" in lines[0]
    assert "400/600" in done.stdout
    assert "loss" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, lines)) <= 100


def test_a_frame_of_all_runs_is_as_large_as_it_is_told(tmp_path: Path):
    for name in ("one", "two"):
        record_run(tmp_path, name, end="stopped")
    lines = watch_once(tmp_path, COLUMNS="80", LINES="24").stdout.splitlines()
    assert len(lines) == 24
    assert "2 runs" in lines[0]
    assert sum("■ stopped" in line for line in lines[:5]) == 2


def test_a_run_that_is_not_there_is_told_by_name(tmp_path: Path):
    record_run(tmp_path, "shapes", end="finished")
    done = watch_once(tmp_path, "shaps")
    assert done.returncode == 1
    assert "did you mean shapes?" in done.stderr


def test_without_a_terminal_the_screen_says_what_to_do(tmp_path: Path):
    done = subprocess.run(
        [QVL, "watch"], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "needs a terminal; `qvl watch --once` writes one frame" in done.stderr
