"""Measured processes take turns: who waits does nothing, and who fails is told with its reason."""

import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from trainer.bench.errors import BenchFailed
from trainer.bench.side import Side
from trainer.bench.turns import StepDone, Turns

PREAMBLE = """\
import json, os, subprocess, sys, time
def report(**facts):
    print(json.dumps(facts), flush=True)
"""
STEPS = """\
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
report(child=child.pid)
for line in sys.stdin:
    time.sleep(0.2)
    report(steps=[{"asked": json.loads(line)["steps"]}], memory={"process": 1})
child.kill()
"""


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Side]]:
    """Return a function that starts a program in place of a measured process."""
    sides: list[Side] = []

    def start(program: str) -> Side:
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\n{PREAMBLE}{textwrap.dedent(program)}")
        script.chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(script))
            sides.append(Side("qvl", tmp_path))
        return sides[-1]

    yield start
    for side in sides:
        side.close()


def processor_seconds(process: int) -> float:
    """Return the processor time a process has used."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def wait_until_stopped(process: int) -> None:
    """Give the kernel a moment to stop a process."""
    deadline = time.monotonic() + 5
    while psutil.Process(process).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, "it was not stopped"
        time.sleep(0.005)


def test_a_process_and_its_children_sleep_between_turns(started: Callable[[str], Side]):
    side = started(STEPS)
    child = side.facts()["child"]
    wait_until_stopped(child)
    before = processor_seconds(child)
    time.sleep(0.3)
    assert processor_seconds(child) == before
    turn = side.turn(3)
    assert turn.steps == [{"asked": 3}]
    wait_until_stopped(child)
    assert processor_seconds(child) > before


def test_closing_lets_a_stopped_process_end_and_take_its_children_along(
    started: Callable[[str], Side],
):
    side = started(STEPS)
    child = psutil.Process(side.facts()["child"])
    side.close()
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_breaks_is_told_with_its_last_words(started: Callable[[str], Side]):
    side = started("sys.exit('no \\x1b[31mroom left')")
    with pytest.raises(BenchFailed, match="qvl: the process ended; its last words: no room left"):
        side.facts()


def test_what_a_process_finds_wrong_comes_with_its_exit_code(started: Callable[[str], Side]):
    side = started("report(failed='train.jsonl:3: broken JSON', code=2)")
    with pytest.raises(BenchFailed, match=r"qvl: train.jsonl:3: broken JSON") as error:
        side.facts()
    assert error.value.code == 2


def test_a_turn_is_over_after_as_many_steps_as_were_asked_for(tmp_path: Path):
    orders, reports = tmp_path / "orders", tmp_path / "reports"
    orders.write_text('{"steps": 2}\n')
    done = StepDone(loss=1.5, target_tokens=8, tokens=20, samples=4)
    with orders.open() as asked, reports.open("w") as told:
        turns = Turns(asked, told)
        assert turns.wait() == 2
        time.sleep(0.5)
        assert not turns.step(done)
        assert turns.step(done)
    (line,) = reports.read_text().splitlines()
    first, second = json.loads(line)["steps"]
    assert (first["loss"], second["samples"]) == (1.5, 4)
    assert first["seconds"] >= 0.5 > second["seconds"]
    assert first["processor_seconds"] < 0.4  # it slept
