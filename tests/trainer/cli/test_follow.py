"""The follower in a process of its own, before a real supervisor."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trainer.supervisor.children import SupervisedChild
from trainer.run.events import CheckpointPublished, Exit, Step, StopRung
from trainer.run.lock import is_locked
from trainer.supervisor.python import python_environment

SCRIPT = Path(__file__).with_name("follow_child.py")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(run: SupervisedChild) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def follower(
        modes: str, *options: str, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT), str(run.layout.root), modes, *options],
            env=python_environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        started.append(process)
        return process

    yield follower
    for process in started:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


@pytest.mark.parametrize(
    ("modes", "code", "said"),
    [
        ("finish:4", 0, "✓ finished at step 4"),
        ("fail", 1, "✗ failed at step 0: RuntimeError: the dog ate it"),
        ("bad", 2, "data.jsonl:3: no answer; add one"),
        ("crash:3", 1, "⚡ crashed at step 3: the trainer was killed by SIGKILL"),
    ],
)
def test_the_exit_code_and_the_last_line_come_from_the_exit_record(
    start: Start, modes: str, code: int, said: str
):
    returned, out, err = end(start(modes))
    assert returned == code
    assert said in err
    assert out == ""


def test_ctrl_c_stops_with_a_checkpoint_and_says_so(run: SupervisedChild, start: Start):
    process = start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGINT)
    code, _, err = end(process)
    assert code == 3
    assert "stopping: finishing the step and writing a checkpoint; Ctrl-C again" in err
    assert "✓ checkpoint of step" in err
    assert "■ stopped at step" in err


def test_a_second_ctrl_c_stops_now_and_a_third_kills(run: SupervisedChild, start: Start):
    run.configure(stop_timeout_seconds=1000, kill_timeout_seconds=1000)
    process = start("hang:2")
    run.wait_for(lambda: len(run.all(Step)) == 2)
    for rungs in (1, 2, 3):
        process.send_signal(signal.SIGINT)
        run.wait_for(lambda: len(run.all(StopRung)) >= rungs)  # noqa: B023
    code, _, err = end(process)
    assert code == 1
    assert [it.rung for it in run.all(StopRung)] == ["asked", "sigterm", "sigkill"]
    assert "killing the trainer" in err


def test_sigusr1_is_passed_on_as_a_checkpoint(run: SupervisedChild, start: Start):
    process = start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGUSR1)
    run.wait_for(lambda: run.all(CheckpointPublished))
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 3


def test_a_terminal_that_goes_away_ends_only_the_follower(run: SupervisedChild, start: Start):
    process = start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGHUP)
    assert end(process)[0] == -signal.SIGHUP
    step = run.last(Step).step
    run.wait_for(lambda: run.last(Step).step > step + 5)
    assert is_locked(run.layout.root)


def test_a_killed_follower_does_not_hurt_the_run(run: SupervisedChild, start: Start):
    process = start("finish:60")
    run.wait_for(lambda: run.all(Step))
    process.kill()
    run.wait_for(lambda: run.all(Exit))
    assert run.last(Exit).state == "finished"


def test_events_are_copied_to_standard_output_as_they_are(run: SupervisedChild, start: Start):
    code, out, _ = end(start("finish:5", "--events"))
    assert code == 0
    assert out == run.layout.events.read_text()


def test_a_reader_that_leaves_does_not_end_following(start: Start):
    process = start("finish:40", "--events")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    code, _, err = end(process)
    assert code == 0
    assert "✓ finished at step 40" in err


def test_a_broken_standard_error_does_not_end_following(run: SupervisedChild, start: Start):
    process = start("finish:40")
    run.wait_for(lambda: run.all(Step))
    assert process.stderr
    process.stderr.close()
    process.stderr = None
    assert end(process)[0] == 0


def test_a_killed_run_is_reported_as_crashed(run: SupervisedChild, start: Start):
    process = start("finish")
    run.wait_for(lambda: run.all(Step))
    run.kill_all()
    code, _, err = end(process)
    assert code == 1
    assert "crashed: it was killed, or its machine was lost" in err
    assert "qvl resume a-run" in err


def test_a_restart_is_followed_into_the_next_attempt(run: SupervisedChild, start: Start):
    run.configure(auto_resume=1)
    code, _, err = end(start("saved_crash:3,finish:6"))
    assert code == 0
    assert "restarting from the newest checkpoint" in err
    assert "goes on from step 3" in err


def test_on_a_terminal_the_progress_line_is_rewritten_in_place(start: Start):
    main, terminal = pty.openpty()
    process = start("finish:100", stderr=terminal)
    os.close(terminal)
    shown = b""
    while process.poll() is None:
        try:
            shown += os.read(main, 65536)
        except OSError:
            break
    os.close(main)
    assert b"\r\x1b[K\xe2\x97\x8f running a-run  step" in shown
    assert process.wait(timeout=30) == 0
