import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.run.layout import RunLayout
from trainer.run.lock import RunIsHeld, acquire_run_lock, adopt_run_lock, is_locked
from trainer.run.owner import this_process, write_owner

HOLD = """
import sys, time
from pathlib import Path
from trainer.run.lock import acquire_run_lock
lock = acquire_run_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""
HOLD_WITH_GRANDCHILD = """
import subprocess, sys, time
from pathlib import Path
from trainer.run.lock import acquire_run_lock
lock = acquire_run_lock(Path(sys.argv[1]))
adopt = (
    "import sys, time; from trainer.run.lock import adopt_run_lock;"
    "lock = adopt_run_lock(int(sys.argv[1])); print('adopted', flush=True); time.sleep(60)"
)
grandchild = subprocess.Popen(
    [sys.executable, "-c", adopt, str(lock.fd)], pass_fds=[lock.fd], stdout=subprocess.PIPE
)
grandchild.stdout.readline()
print(grandchild.pid, flush=True)
time.sleep(60)
"""


def start(code: str, run: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start a child and return it with the first line it prints."""
    command = [sys.executable, "-c", code, str(run)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    return child, child.stdout.readline().strip()


def end(child: "subprocess.Popen[str]") -> None:
    child.kill()
    child.communicate()


def wait_until_free(run: Path) -> None:
    deadline = time.monotonic() + 5
    while is_locked(run) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_locked(run)


def test_a_run_nobody_ever_locked_is_free_and_asking_leaves_no_file(tmp_path: Path):
    before = set(Path(f"/tmp/qvl-{os.getuid()}/locks").glob("*"))
    assert not is_locked(tmp_path)
    assert set(Path(f"/tmp/qvl-{os.getuid()}/locks").glob("*")) <= before


def test_of_two_who_want_the_same_run_the_second_is_refused_under_any_name(tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "alias").symlink_to(run)
    with acquire_run_lock(run):
        assert is_locked(tmp_path / "alias")
        with pytest.raises(RunIsHeld, match="alias"):
            acquire_run_lock(tmp_path / "alias", timeout_seconds=0.05)
    assert not is_locked(run)
    acquire_run_lock(run).release()


def test_sigkill_of_the_holder_frees_the_run(tmp_path: Path):
    child, said = start(HOLD, tmp_path)
    assert said == "held"
    assert is_locked(tmp_path)
    with pytest.raises(RunIsHeld):
        acquire_run_lock(tmp_path, timeout_seconds=0.05)
    end(child)
    wait_until_free(tmp_path)
    acquire_run_lock(tmp_path).release()


def test_a_grandchild_that_was_handed_the_lock_holds_the_run_after_its_parent_was_killed(
    tmp_path: Path,
):
    child, grandchild = start(HOLD_WITH_GRANDCHILD, tmp_path)
    end(child)
    assert is_locked(tmp_path)
    with pytest.raises(RunIsHeld):
        acquire_run_lock(tmp_path, timeout_seconds=0.05)
    os.kill(int(grandchild), signal.SIGKILL)
    wait_until_free(tmp_path)


def test_releasing_ones_own_share_leaves_the_lock_with_those_who_adopted_it(tmp_path: Path):
    lock = acquire_run_lock(tmp_path)
    adopted = adopt_run_lock(os.dup(lock.fd))
    lock.release()
    lock.release()
    assert is_locked(tmp_path)
    adopted.release()
    assert not is_locked(tmp_path)


def test_an_adopted_lock_is_not_inherited_by_chance(tmp_path: Path):
    lock = acquire_run_lock(tmp_path)
    os.set_inheritable(lock.fd, True)
    adopted = adopt_run_lock(lock.fd)
    assert not os.get_inheritable(adopted.fd)
    adopted.release()


def test_a_descriptor_that_is_not_there_cannot_be_adopted():
    with pytest.raises(OSError, match="Bad file descriptor"):
        adopt_run_lock(987)


def test_probes_disturb_neither_the_holder_nor_each_other_nor_a_start(tmp_path: Path):
    acquire_run_lock(tmp_path).release()
    stop = threading.Event()
    seen: list[bool] = []

    def probe() -> None:
        while not stop.is_set():
            seen.append(is_locked(tmp_path))

    threads = [threading.Thread(target=probe) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            acquire_run_lock(tmp_path).release()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen


def test_a_probe_of_a_held_run_returns_at_once(tmp_path: Path):
    with acquire_run_lock(tmp_path):
        began = time.monotonic()
        assert all(is_locked(tmp_path) for _ in range(100))
        assert time.monotonic() - began < 60  # one that waits takes a second each time


def test_a_lock_file_that_a_cleaner_removed_does_not_let_a_second_attempt_in(tmp_path: Path):
    child, _ = start(HOLD, tmp_path)
    layout = RunLayout(tmp_path)
    write_owner(layout, replace(this_process(1), pid=child.pid, pid_start_ticks=ticks(child.pid)))
    for file in Path(f"/tmp/qvl-{os.getuid()}/locks").iterdir():
        if is_lock_of(file, child.pid):
            file.unlink()
    assert not is_locked(tmp_path)
    with pytest.raises(RunIsHeld, match=f"process {child.pid} "):
        acquire_run_lock(tmp_path, timeout_seconds=0.05)
    end(child)


def ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])


def is_lock_of(file: Path, pid: int) -> bool:
    links = [link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir()]
    return file in links


def test_a_fresh_heartbeat_from_another_host_counts_as_held_and_a_stale_one_does_not(
    tmp_path: Path,
):
    layout = RunLayout(tmp_path)
    foreign = replace(this_process(3), host="far-away", boot_id="another", pid=4711)
    write_owner(layout, foreign)
    with pytest.raises(RunIsHeld, match="process 4711 on far-away since 20"):
        acquire_run_lock(tmp_path, timeout_seconds=0.05)
    stale = replace(foreign, heartbeat_unix_seconds=time.time() - 61)
    write_owner(layout, stale)
    acquire_run_lock(tmp_path).release()


def test_an_owner_that_began_at_no_time_refuses_a_second_start_all_the_same(tmp_path: Path):
    layout = RunLayout(tmp_path)
    with acquire_run_lock(tmp_path):
        far = replace(this_process(1), host="far-away", boot_id="another")
        write_owner(layout, replace(far, started_unix_seconds=1e300))
        with pytest.raises(RunIsHeld, match="since an unknown time"):
            acquire_run_lock(tmp_path)
