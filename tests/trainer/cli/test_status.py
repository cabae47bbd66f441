"""What is shown and noted about runs, each command in a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainer.cli.conftest import Qvl
from tests.trainer.supervisor.children import SupervisedChild
from trainer.run.events import Step
from trainer.run.lock import acquire_run_lock
from trainer.supervisor.python import python_environment


def test_a_name_and_a_note_are_shown_with_the_status(run: SupervisedChild, qvl: Qvl):
    assert qvl("note", "a-run", "try a lower rate\nthen more data").returncode == 0
    done = qvl("note", "a-run", "--title", "Shapes [2]", "--json")
    assert json.loads(done.stdout) == {
        "name": "a-run",
        "title": "Shapes [2]",
        "note": "try a lower rate\nthen more data",
    }
    shown = qvl("status", "a-run").stdout
    assert "a-run: Shapes [2]  crashed" in shown
    assert "\n  try a lower rate\n  then more data\n" in shown
    told = json.loads(qvl("status", "a-run", "--json").stdout)
    assert told["title"] == "Shapes [2]"
    assert "Shapes [2]" in qvl("runs").stdout
    assert run.layout.about.exists()


def test_an_empty_text_removes_a_note_and_keeps_the_name(run: SupervisedChild, qvl: Qvl):
    qvl("note", "a-run", "something", "--title", "Name")
    qvl("note", "a-run", "")
    assert json.loads(run.layout.about.read_bytes()) == {"title": "Name", "note": ""}


@pytest.mark.usefixtures("run")
def test_a_name_that_is_too_long_is_refused(qvl: Qvl):
    done = qvl("note", "a-run", "--title", "x" * 101)
    assert done.returncode == 2
    assert "at most 100" in done.stderr


def test_a_deleted_run_can_be_brought_back_with_the_command_that_is_shown(
    run: SupervisedChild, qvl: Qvl
):
    done = qvl("delete", "a-run", "--json")
    answer = json.loads(done.stdout)
    assert not run.layout.root.exists()
    assert Path(answer["path"]).parent.name == ".trash"
    assert "no runs here" in qvl("runs").stdout
    subprocess.run(answer["restore"], shell=True, check=True)
    assert "a-run" in qvl("runs").stdout


def test_a_run_that_lives_is_not_deleted(run: SupervisedChild, qvl: Qvl):
    with acquire_run_lock(run.layout.root):
        done = qvl("delete", "a-run")
    assert done.returncode == 1
    assert f"held by process {os.getpid()}" in done.stderr
    assert run.layout.root.exists()


def test_a_damaged_run_does_not_hide_the_others(run: SupervisedChild, qvl: Qvl):
    damaged = run.layout.root.with_name("damaged")
    damaged.mkdir()
    (damaged / "config.yaml").write_text("")
    (damaged / "events.jsonl").mkdir()
    done = qvl("runs")
    assert done.returncode == 0
    assert "its files cannot be read" in done.stdout
    assert "a-run" in done.stdout


def test_watching_a_pipe_writes_blocks_until_the_run_ends_and_tells_how(
    run: SupervisedChild, qvl: Qvl
):
    run.end(run.start("finish:2"))
    done = qvl("status", "a-run", "--watch")
    assert done.returncode == 0
    assert done.stdout.startswith("✓ a-run  finished")
    assert done.stdout.endswith("\n\n")
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("run")
def test_watching_a_run_that_did_not_end_well_is_told_by_the_code(qvl: Qvl):
    assert qvl("status", "a-run", "--watch").returncode == 1
    assert qvl("status", "--watch", "--json").returncode == 2


def watched_on_terminal(root: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start `qvl status` on a terminal of its own; return it and the end that reads it."""
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer.cli", "status", *arguments, "--watch"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=root,
        env={**python_environment(), "QVL_RUNS": str(root / "runs")},
        start_new_session=True,
    )
    os.close(terminal)
    return process, reader


def read_until(reader: int, text: str) -> str:
    read = b""
    while text not in read.decode(errors="replace"):
        read += os.read(reader, 4096)
    return read.decode(errors="replace")


def test_on_a_terminal_the_status_is_painted_in_place_until_the_run_ends(
    run: SupervisedChild, tmp_path: Path
):
    started = run.start("slow")
    run.wait_for(lambda: run.all(Step))
    process, reader = watched_on_terminal(tmp_path, "a-run")
    read_until(reader, "\x1b[?7l\r● a-run  running")
    read_until(reader, "A\r● a-run  running")
    started.send_signal(signal.SIGTERM)
    read_until(reader, "stopped")
    assert process.wait(timeout=20) == 3
    os.close(reader)


@pytest.mark.usefixtures("run")
def test_ctrl_c_ends_watching_all_runs_without_a_traceback(tmp_path: Path):
    process, reader = watched_on_terminal(tmp_path)
    read_until(reader, "a-run")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    os.close(reader)
