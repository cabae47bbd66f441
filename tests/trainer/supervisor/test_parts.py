"""The supervisor's parts one by one: ladder, stall, restart, verdict, journal, logout, on_exit."""

import os
import pwd
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer.run.events import (
    AnyEvent,
    CommandReceived,
    Exit,
    MonitorMoved,
    Notice,
    StopRung,
    SupervisorStarted,
)
from trainer.run.layout import RunLayout
from trainer.run.lock import acquire_run_lock, is_locked
from trainer.run.tail import EventTail
from trainer.supervisor.carrying import carried_lines
from trainer.supervisor.console import open_console, report, rotate_console
from trainer.supervisor.journal import Journal
from trainer.supervisor.ladder import StopLadder, default_stop_timeout
from trainer.supervisor.logout import in_login_session, parse_properties, what_logout_does
from trainer.supervisor.on_exit import run_on_exit
from trainer.supervisor.ranks import rank_environment
from trainer.supervisor.restart import Reached, Restarts, next_attempt, why_not_restart
from trainer.supervisor.stall import StallWatch, silence_limit
from trainer.supervisor.start import start_run
from trainer.supervisor.verdict import OTHERS_LOST, Circumstances, judge

KNOWN = Circumstances(step=7, trainer_said="", console_said="", trained=True, forced=None)
CRASH = Exit(state="crashed", code=1, signal="SIGKILL")


def test_each_rung_of_the_ladder_waits_for_its_time():
    ladder = StopLadder(kill_timeout_seconds=5)
    assert ladder.advance(1000) is None
    assert ladder.ask(0, "asked", stop_timeout_seconds=10) == "asked"
    assert ladder.ask(1, "again", stop_timeout_seconds=10) is None
    assert ladder.advance(9.9) is None
    assert ladder.advance(10) == "sigterm"
    assert ladder.advance(14.9) is None
    assert ladder.advance(15) == "sigkill"
    assert ladder.advance(1000) is None
    assert ladder.hurry(1001, "more") is None


def test_the_stop_timeout_covers_three_steps_and_three_saves():
    assert default_stop_timeout(None, None) == 120
    assert default_stop_timeout(200, 60) == 780


def test_the_phases_have_silences_of_their_own():
    assert silence_limit("train", None, 1.0, None) == 300
    assert silence_limit("train", None, 100.0, None) == 1000
    assert silence_limit("train", 5.0, 100.0, None) == 5
    assert silence_limit("load", None, None, None) == 1800
    assert silence_limit("load", 5.0, None, None) == 1800
    assert silence_limit("save", None, 1.0, 1000.0) == 3000
    assert silence_limit(None, 5.0, None, None) == 900


def test_a_stall_is_told_when_it_begins_and_when_it_ends():
    watch = StallWatch(now=0)
    assert not watch.changed(10, limit_seconds=10)
    assert watch.changed(11, limit_seconds=10)
    assert not watch.changed(12, limit_seconds=10)
    watch.sign_of_life(13)
    assert watch.changed(14, limit_seconds=10)
    assert not watch.stalled


def test_attempts_are_counted_from_the_monitor_or_else_from_the_events():
    started: list[AnyEvent] = [
        SupervisorStarted(pid=1, host="h", boot_id="b", attempt=attempt) for attempt in (1, 2)
    ]
    assert next_attempt([], 0) == 1
    assert next_attempt(started, 0) == 3
    assert next_attempt([], 4) == 5


@pytest.mark.parametrize(
    ("end", "restarts", "now", "stop_asked", "reason"),
    [
        (CRASH, Restarts(allowed=1, used=0, last=None), (0, 5), False, ""),
        (CRASH, Restarts(allowed=0, used=0, last=None), (0, 5), False, "allows 0 restarts"),
        (CRASH, Restarts(allowed=9, used=1, last=None), (0, 5), True, "a stop was asked for"),
        (
            Exit(state="failed", code=2),
            Restarts(allowed=9, used=0, last=None),
            (0, 5),
            False,
            "has to be mended first",
        ),
        (
            CRASH,
            Restarts(allowed=9, used=1, last=Reached(checkpoint_step=4, step=5)),
            (4, 5),
            False,
            "came no further than step 5",
        ),
        (
            CRASH,
            Restarts(allowed=9, used=1, last=Reached(checkpoint_step=4, step=5)),
            (4, 6),
            False,
            "",
        ),
        (
            CRASH,
            Restarts(allowed=9, used=1, last=Reached(checkpoint_step=2, step=5)),
            (4, 5),
            False,
            "",
        ),
        (
            Exit(state="finished", code=0),
            Restarts(allowed=9, used=0, last=None),
            (0, 5),
            False,
            "it finished",
        ),
    ],
)
def test_a_run_is_restarted_only_when_that_can_help(
    end: Exit, restarts: Restarts, now: tuple[int, int], stop_asked: bool, reason: str
):
    reached = Reached(checkpoint_step=now[0], step=now[1])
    said = why_not_restart(end, restarts, reached, stop_asked=stop_asked)
    assert reason in said if reason else said == ""


def test_the_first_rank_that_failed_is_the_cause():
    end = judge([(0, 0), (2, 1), (1, -signal.SIGTERM)], KNOWN)
    assert (end.state, end.code, end.signal) == ("failed", 1, None)
    assert end.message.startswith("rank 2: ")


@pytest.mark.parametrize(("code", "state"), [(1, "failed"), (-signal.SIGKILL, "crashed")])
def test_a_rank_that_was_left_alone_is_not_the_cause(code: int, state: str):
    together = judge([(0, OTHERS_LOST), (1, code)], KNOWN)
    assert together == judge([(1, code), (0, OTHERS_LOST)], KNOWN)
    assert together.state == state
    assert judge([(0, OTHERS_LOST), (1, 0)], KNOWN).state == "failed"


def test_a_signal_is_a_crash_and_is_named():
    end = judge([(0, -signal.SIGSEGV)], KNOWN)
    assert (end.state, end.code, end.signal, end.step) == ("crashed", 1, "SIGSEGV", 7)


def test_any_foreign_exit_code_is_a_failure_with_code_1():
    assert judge([(0, 117)], KNOWN).code == 1


def test_a_rank_is_told_where_it_is():
    told = rank_environment(1, 4, 3, 9)
    assert (told["RANK"], told["LOCAL_RANK"], told["WORLD_SIZE"]) == ("1", "1", "4")
    assert told["GLOO_SOCKET_IFNAME"] == "lo"
    assert "LOCAL_RANK" not in rank_environment(0, 1, 3, 9)  # one alone opens no connection
    assert (told["QVL_ATTEMPT"], told["QVL_LOCK_FD"]) == ("3", "9")
    assert told["QVL_SUPERVISOR_PID"] == str(os.getpid())


class FullDisk:
    """A limit on the size of files of this process, which acts as a disk without room."""

    def __enter__(self) -> None:
        self.former = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, self.former[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.former)
        signal.signal(signal.SIGXFSZ, self.handler)


def test_events_wait_for_a_full_disk_and_come_in_order(tmp_path: Path):
    said: list[str] = []
    path = tmp_path / "monitor.jsonl"
    journal = Journal(path, 3, said.append)
    journal.write(Notice(topic="0", message="x"))
    with FullDisk():
        for topic in ("1", "2", "3"):
            written = journal.write(Notice(topic=topic, message="x" * 200))
        assert written.attempt == 3
        assert not journal.flush()
        lines = path.read_bytes().splitlines(keepends=True)
        assert all(line.endswith(b"\n") for line in lines)
    assert journal.flush()
    journal.close()
    events = EventTail(path).read()
    assert [it.topic for it in events if isinstance(it, Notice)] == ["0", "1", "2", "3"]
    assert [it.seq for it in events] == [0, 1, 2, 3]
    assert len(said) == 2  # once when it began, once when it was over


def test_a_long_journal_moves_aside(tmp_path: Path):
    path = tmp_path / "telemetry.jsonl"
    journal = Journal(path, 1, said_nothing, rotate_bytes=1000)
    for _ in range(20):
        journal.write(Notice(topic="t", message="x" * 50))
    journal.close()
    assert path.stat().st_size < 1300
    assert path.with_name("telemetry.jsonl.1").exists()


def test_a_long_monitor_moves_aside_and_carries_over_what_is_still_needed(tmp_path: Path):
    layout = RunLayout(tmp_path)
    for attempt in (1, 2, 3):
        journal = Journal(layout.monitor, attempt, said_nothing)
        journal.write(SupervisorStarted(pid=attempt, host="h", boot_id="b"))
        for number in range(1_500):
            journal.write(CommandReceived(id=f"{attempt}-{number}", command="x", accepted=False))
        if attempt < 3:
            journal.write(Exit(state="crashed", code=1, step=attempt))
            journal.close()
    before = layout.monitor.read_bytes()
    assert not journal.move_aside(layout.monitor_before, len(before))
    assert journal.move_aside(layout.monitor_before, len(before) - 1)
    last = journal.write(Exit(state="finished", code=0, step=9))
    assert layout.monitor_before.read_bytes() == before
    moved, *kept = EventTail(layout.monitor).read()
    assert isinstance(moved, MonitorMoved)
    assert moved.copies == len(kept) - 1 == 1_000 + 3 + 2
    assert [it.attempt for it in kept if isinstance(it, SupervisorStarted)] == [1, 2, 3]
    assert [it.step for it in kept if isinstance(it, Exit)] == [1, 2, 9]
    answers = [it.id for it in kept if isinstance(it, CommandReceived)]
    assert answers == [f"3-{number}" for number in range(500, 1_500)]
    assert (last.seq, moved.seq) == (1_502, 1_501)
    assert {it.stat().st_mode & 0o777 for it in tmp_path.iterdir()} == {0o600}
    assert next_attempt(kept, 0) == 4
    journal.close()


def test_what_is_carried_over_is_bounded_and_holds_events_alone():
    lines = [b'{"type":"exit","n":%d}' % number for number in range(100)]
    size = len(lines[-1]) + 1
    assert (
        carried_lines([*lines, b"garbage", b"[1]", b"1", b'{"type":1}'], 10 * size) == lines[-10:]
    )


def said_nothing(text: str) -> None:
    raise AssertionError(text)


def test_a_long_console_moves_aside_while_it_is_written_to(tmp_path: Path):
    path = tmp_path / "console.log"
    console = open_console(path)
    report(console, "first")
    assert not rotate_console(console, path, 1000)
    report(console, "x" * 1000)
    assert rotate_console(console, path, 1000)
    report(console, "last")  # over the same descriptor, as the processes of a run do
    assert path.read_text().endswith("last\n")
    assert "first" not in path.read_text()
    older = tmp_path / "console.log.1"
    assert "first" in older.read_text()
    assert {it.stat().st_mode & 0o777 for it in (path, older)} == {0o600}
    os.close(console)


def test_a_login_session_is_known_by_its_cgroup(tmp_path: Path):
    cgroup = tmp_path / "cgroup"
    cgroup.write_text("0::/user.slice/user-1000.slice/session-4.scope\n")
    assert in_login_session(cgroup)
    cgroup.write_text("0::/user.slice/user-1000.slice/user@1000.service/run-1.scope\n")
    assert not in_login_session(cgroup)
    assert not in_login_session(tmp_path / "missing")


def test_loginctl_properties_are_read():
    text = "KillUserProcesses=yes\nKillExcludeUsers=root backup\n\n"
    assert parse_properties(text) == {
        "KillUserProcesses": "yes",
        "KillExcludeUsers": "root backup",
    }


@pytest.mark.parametrize(
    ("kills", "excluded", "lingers", "manager", "fate", "remedied"),
    [
        ("no", "", "no", True, "survives", False),
        ("yes", "everybody", "no", True, "survives", False),
        ("yes", "", "yes", True, "scope", False),
        ("yes", "", "no", True, "scope", True),
        ("yes", "", "no", False, "dies", True),
    ],
)
def test_what_logout_does_is_asked_of_systemd(  # programs that answer stand in for it
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: str,
    excluded: str,
    lingers: str,
    manager: bool,
    fate: str,
    remedied: bool,
):
    user = pwd.getpwuid(os.getuid()).pw_name
    names = excluded.replace("everybody", user)
    script(
        tmp_path / "loginctl",
        f"[ $1 = show-user ] && echo Linger={lingers} "
        f"|| echo 'KillUserProcesses={kills}\nKillExcludeUsers={names}'",
    )
    script(tmp_path / "systemctl", "echo Version=255" if manager else "exit 1")
    script(tmp_path / "systemd-run", "exit 0")
    cgroup = tmp_path / "cgroup"
    cgroup.write_text("0::/user.slice/user-0.slice/session-c1.scope\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = what_logout_does(cgroup)
    assert (said.fate, bool(said.remedy)) == (fate, remedied)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_an_on_exit_command_that_hangs_is_ended(tmp_path: Path):
    layout = RunLayout(tmp_path)
    began = time.monotonic()
    done = run_on_exit("echo begun; sleep 90", layout, CRASH, lambda: False, limit_seconds=0.5)
    assert time.monotonic() - began < 60
    assert (done.code, done.output) == (None, "begun")


def test_what_an_on_exit_command_leaves_running_is_not_waited_for(tmp_path: Path):
    began = time.monotonic()
    done = run_on_exit("sleep 60 & echo left", RunLayout(tmp_path), CRASH, lambda: False)
    assert time.monotonic() - began < 50
    assert (done.code, done.output) == (0, "left")


@pytest.mark.slow
def test_a_detached_run_is_in_a_session_of_its_own_and_holds_the_lock(tmp_path: Path):
    root = tmp_path / "runs" / "a-run"
    root.mkdir(parents=True)
    layout = RunLayout(root)
    layout.config.write_text("model: {path: /nowhere}\ndata: {train: [/nowhere.jsonl]}\n")
    started = start_run(layout, acquire_run_lock(root))
    assert os.getsid(started.process.pid) == started.process.pid
    assert is_locked(root)
    assert started.process.wait(timeout=60) in (1, 2)  # there is no such model
    ends = [it for it in EventTail(layout.monitor).read() if isinstance(it, Exit)]
    assert [it.state for it in ends] == ["failed"]
    assert not [it for it in EventTail(layout.monitor).read() if isinstance(it, StopRung)]


def test_the_supervisor_loads_no_torch():
    code = (
        "import sys, trainer.supervisor.supervise, trainer.supervisor.start;"
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
