import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.trainer.run.building import attempt_started, phase, planned, published, step, supervisor
from trainer.run.append import EventWriter
from trainer.run.codec import encode
from trainer.run.events import AnyEvent, EndState, Exit, Resumed, Stalled, StopRung, TrainerEnded
from trainer.run.layout import RunLayout
from trainer.run.liveness import HEAD_BYTES, TAIL_BYTES, load_state, quick_state, run_status
from trainer.run.lock import acquire_run_lock
from trainer.run.owner import this_process, write_owner


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    (tmp_path / "shapes").mkdir()
    layout = RunLayout(tmp_path / "shapes")
    layout.config.write_text("{}")
    return layout


def write(path: Path, events: Iterable[AnyEvent]) -> None:
    with path.open("ab") as file:
        file.writelines(encode(event) for event in events)


LIVE: list[tuple[str, list[AnyEvent], list[AnyEvent], str]] = [
    ("nothing is written yet", [], [], "starting"),
    ("the trainer is not up", [], [supervisor()], "starting"),
    ("the model loads", [attempt_started(), phase("load")], [supervisor()], "starting"),
    ("the first step is under way", [phase("train")], [supervisor()], "running"),
    ("steps are done", [step(1)], [supervisor()], "running"),
    (
        "a stop is asked for",
        [step(1)],
        [supervisor(), StopRung(rung="asked", reason="key x", attempt=1)],
        "stopping",
    ),
    (
        "nothing moves",
        [step(1)],
        [supervisor(), Stalled(stalled=True, silent_seconds=9, limit_seconds=5, attempt=1)],
        "stalled",
    ),
    (
        "it moves again",
        [step(1)],
        [
            supervisor(),
            Stalled(stalled=True, silent_seconds=9, limit_seconds=5, attempt=1),
            Stalled(stalled=False, silent_seconds=0, limit_seconds=5, attempt=1),
        ],
        "running",
    ),
    (
        "it restarts by itself",
        [step(1)],
        [supervisor(), Exit(state="crashed", code=1, will_restart=True, attempt=1)],
        "starting",
    ),
    (
        "the second attempt loads",
        [step(1), attempt_started(2)],
        [supervisor(), Exit(state="crashed", code=1, attempt=1), supervisor(2)],
        "starting",
    ),
    (
        "the exit is recorded and the on_exit command runs",
        [step(1)],
        [supervisor(), Exit(state="finished", code=0, attempt=1)],
        "finished",
    ),
]


@pytest.mark.parametrize(("events", "monitor", "state"), [case[1:] for case in LIVE])
def test_a_held_run_is_in_the_state_its_events_say(
    layout: RunLayout, events: list[AnyEvent], monitor: list[AnyEvent], state: str
):
    write(layout.events, events)
    write(layout.monitor, monitor)
    with acquire_run_lock(layout.root):
        status = run_status(layout)
    assert status.held
    assert status.state == state


@pytest.mark.parametrize("end", ["finished", "stopped", "failed", "crashed"])
def test_a_run_that_left_an_exit_record_is_in_the_state_it_says(layout: RunLayout, end: EndState):
    exit_record = Exit(state=end, code=1, message="why", attempt=1, time=5.0)
    write(layout.monitor, [supervisor(), exit_record])
    status = run_status(layout)
    assert (status.state, status.since, status.held) == (end, 5.0, False)
    assert status.message.startswith("why")
    assert ("qvl resume shapes" in status.message) == (end in ("failed", "crashed"))


def test_a_run_without_lock_and_exit_record_crashed_and_says_how_to_go_on(layout: RunLayout):
    write(layout.events, [attempt_started(), step(41)])
    write(layout.monitor, [supervisor()])
    status = run_status(layout)
    assert status.state == "crashed"
    assert status.since == 1041.0
    assert "killed" in status.message
    assert "step 41" in status.message
    assert "qvl resume shapes" in status.message


def test_the_exit_record_of_an_earlier_attempt_does_not_speak_for_the_newest(layout: RunLayout):
    write(layout.monitor, [supervisor(), Exit(state="stopped", code=3, attempt=1), supervisor(2)])
    assert run_status(layout).state == "crashed"
    assert run_status(layout).attempt == 2


def test_a_run_that_was_never_started_says_so(layout: RunLayout):
    status = run_status(layout)
    assert (status.state, status.attempt) == ("crashed", 0)
    assert "never started" in status.message


@pytest.mark.parametrize(("word", "state"), [("finished", "finished"), ("stopped", "crashed")])
def test_without_a_supervisor_the_trainers_last_word_tells_whether_the_work_is_done(
    layout: RunLayout, word: Literal["finished", "stopped"], state: str
):
    write(layout.monitor, [supervisor()])
    write(layout.events, [step(5), TrainerEnded(state=word, step=5, attempt=1)])
    status = run_status(layout)
    assert status.state == state
    assert "supervisor was killed" in status.message


def test_a_trainer_whose_supervisor_was_killed_is_stopping(layout: RunLayout):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    write_owner(layout, replace(this_process(1), pid=child.pid))
    write(layout.events, [step(5)])
    write(layout.monitor, [supervisor()])
    lock = acquire_run_lock(layout.root)
    status = run_status(layout)
    lock.release()
    assert status.state == "stopping"
    assert "supervisor is gone" in status.message


def test_between_the_lock_and_the_first_line_a_new_attempt_is_starting(layout: RunLayout):
    write(layout.monitor, [supervisor(), Exit(state="failed", code=1, attempt=1)])
    with acquire_run_lock(layout.root):
        write_owner(layout, this_process(2))
        assert run_status(layout).state == "starting"


def test_a_run_on_another_host_is_held_while_its_heartbeat_is_fresh(layout: RunLayout):
    write(layout.events, [step(5)])
    write(layout.monitor, [supervisor()])
    foreign = replace(this_process(1), host="far-away", boot_id="another")
    write_owner(layout, foreign)
    assert (run_status(layout).state, run_status(layout).held) == ("running", True)
    write_owner(layout, replace(foreign, heartbeat_unix_seconds=time.time() - 100))
    assert (run_status(layout).state, run_status(layout).held) == ("crashed", False)


def test_the_tail_of_a_long_run_gives_the_same_status(layout: RunLayout):
    steps = [step(n) for n in range(1, 20_001)]
    write(layout.events, [attempt_started(), planned(30_000), *steps[:15_000], published(15_000)])
    write(layout.events, [attempt_started(2), Resumed(step=15_000, attempt=2)])
    write(layout.events, [replace(s, attempt=2) for s in steps[15_000:]])
    write(layout.monitor, [supervisor(), Exit(state="crashed", code=1, attempt=1), supervisor(2)])
    assert layout.events.stat().st_size > 10 * (HEAD_BYTES + TAIL_BYTES)
    quick, whole = quick_state(layout), load_state(layout)
    assert quick.partial
    assert not whole.partial
    for state in (quick, whole):
        assert (state.step, state.total_steps, state.attempt) == (20_000, 30_000, 2)
        assert state.last_step == replace(steps[-1], attempt=2)
        assert state.broken_lines == 0
    assert len(whole.steps) == 20_000
    assert run_status(layout).state == "crashed"


def test_a_torn_last_line_is_no_broken_line_while_the_run_lives(layout: RunLayout):
    with EventWriter(layout.events, 1) as writer:
        writer.write(step(1))
    with layout.events.open("ab") as file:
        file.write(b'{"seq":1')
    with acquire_run_lock(layout.root):
        assert load_state(layout).broken_lines == 0
    assert load_state(layout).broken_lines == 1


def test_a_status_can_be_told_of_a_run_whose_files_are_garbage(layout: RunLayout):
    for path in (layout.events, layout.monitor, layout.telemetry, layout.owner):
        path.write_bytes(b"\x00\xff{]\n" * 50 + json.dumps({"type": "weather"}).encode())
    assert run_status(layout).state == "crashed"
    assert load_state(layout).broken_lines == 150
