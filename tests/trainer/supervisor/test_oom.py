"""A process that the kernel ends for want of memory is told from one that somebody killed."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainer.supervisor.children import SupervisedChild
from trainer.run.events import Exit
from trainer.supervisor.oom import CGROUPS, OomKills, oom_kills
from trainer.supervisor.verdict import Circumstances, judge

LIMIT_BYTES = 256 * 2**20


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group whose processes may take 256 MB together."""
    first, second = CGROUPS / "memory", CGROUPS  # of version 1 and of version 2
    folder = (first if first.exists() else second) / f"qvl-test-{os.getpid()}"
    limit = folder / ("memory.limit_in_bytes" if first.exists() else "memory.max")
    try:
        folder.mkdir()
        limit.write_text(str(LIMIT_BYTES))
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        pytest.skip(f"limiting memory needs root: {error}")
    yield folder
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        with suppress(OSError):  # its last process is not gone yet
            folder.rmdir()
        time.sleep(0.05)


def test_a_trainer_that_the_kernel_ends_for_want_of_memory_says_what_was_used_up(
    run: SupervisedChild, group: Path
):
    process = run.start("greedy:2")
    (group / "cgroup.procs").write_text(str(process.pid))
    assert run.end(process) == 1
    end = run.last(Exit)
    assert (end.state, end.signal, end.step) == ("crashed", "SIGKILL", 2)
    assert "because the memory that this container or job may use was used up" in end.message
    assert "lower data.workers" in end.message


@pytest.mark.parametrize(
    ("groups", "file", "content"),
    [
        ("0::/job/7\n", "job/7/memory.events", "low 0\noom 3\noom_kill 2\n"),
        ("4:memory:/job\n0::/\n", "memory/job/memory.oom_control", "under_oom 0\noom_kill 2\n"),
        ("4:memory:/seen/outside\n", "memory/memory.oom_control", "oom_kill 2\n"),
        ("0::/seen/outside\n", "memory.events", "oom_kill 2\n"),
    ],
)
def test_the_count_of_the_own_group_is_found(tmp_path: Path, groups: str, file: str, content: str):
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(groups)
    (proc / "vmstat").write_text("oom_kill 5\n")
    (cgroups / file).parent.mkdir(parents=True, exist_ok=True)
    (cgroups / file).write_text(content)
    assert oom_kills(proc, cgroups) == OomKills(here=2, anywhere=5)
    assert oom_kills(tmp_path / "none", cgroups) == OomKills(here=None, anywhere=None)


def test_a_kill_elsewhere_on_the_machine_is_told_apart_and_none_is_no_claim():
    before = OomKills(here=1, anywhere=5)
    assert OomKills(1, 5).since(before) == ""
    assert OomKills(1, 6).since(before) == "the machine's memory"
    assert "container" in OomKills(2, 6).since(before)
    assert OomKills(2, 6).since(OomKills(None, None)) == ""


def test_the_exit_record_names_memory_only_where_the_kernel_killed_for_it():
    known = Circumstances(step=7, trainer_said="", console_said="", trained=True, forced=None)
    assert "if nobody did that" in judge([(0, -9)], known).message
    assert "because the machine's memory was used up" in (
        judge([(0, -9)], replace(known, used_up="the machine's memory")).message
    )
    worker = replace(known, trainer_said="data worker 1 (pid 5) was killed by SIGKILL; it was to")
    assert judge([(0, 1)], worker).message == worker.trainer_said
    worker = replace(worker, used_up="the machine's memory")
    assert "because the machine's memory was used up" in judge([(0, 1)], worker).message
    other = replace(worker, trainer_said="ValueError: no")
    assert judge([(0, 1)], other).message == "ValueError: no"
