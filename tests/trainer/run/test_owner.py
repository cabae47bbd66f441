import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.run.layout import RunLayout
from trainer.run.owner import (
    beat,
    owner_is_alive,
    read_owner,
    remove_owner,
    start_ticks,
    this_process,
    write_owner,
)


def test_an_owner_comes_back_from_its_file_and_is_gone_when_removed(tmp_path: Path):
    layout = RunLayout(tmp_path)
    assert read_owner(layout) is None
    owner = this_process(attempt=2)
    write_owner(layout, owner)
    assert read_owner(layout) == owner
    assert [path.name for path in tmp_path.iterdir()] == ["owner.json"]
    remove_owner(layout)
    remove_owner(layout)
    assert read_owner(layout) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"host": 1}), "\x00" * 100])
def test_a_damaged_owner_file_is_as_good_as_none(tmp_path: Path, text: str):
    layout = RunLayout(tmp_path)
    layout.owner.write_text(text)
    assert read_owner(layout) is None


def test_fields_of_a_later_version_are_ignored(tmp_path: Path):
    layout = RunLayout(tmp_path)
    owner = this_process(attempt=1)
    write_owner(layout, owner)
    known = json.loads(layout.owner.read_text())
    layout.owner.write_text(json.dumps(known | {"colour": "red"}))
    assert read_owner(layout) == owner


def test_this_process_is_alive_however_old_its_heartbeat_is():
    owner = this_process(attempt=1)
    assert owner_is_alive(replace(owner, heartbeat_boot_seconds=0, heartbeat_unix_seconds=0))


def test_a_process_id_that_was_given_to_another_process_is_not_the_owner():
    owner = this_process(attempt=1)
    assert owner_is_alive(replace(owner, pid_start_ticks=owner.pid_start_ticks - 1)) is False


def test_a_dead_process_is_not_alive_even_before_its_parent_took_notice():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(
        this_process(attempt=1), pid=child.pid, pid_start_ticks=start_ticks(child.pid) or 0
    )
    assert owner_is_alive(owner) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner_is_alive(owner) is not True
    child.communicate()
    assert owner_is_alive(owner) is False


@pytest.mark.parametrize(("age", "alive"), [(0, True), (59, True), (61, False), (-30, True)])
def test_an_owner_on_another_host_lives_as_long_as_its_heartbeat_is_fresh(age: float, alive: bool):
    owner = replace(this_process(attempt=1), host="far-away", boot_id="another")
    aged = replace(owner, heartbeat_unix_seconds=time.time() - age, heartbeat_boot_seconds=0)
    assert owner_is_alive(aged) is alive


def test_in_another_container_of_this_machine_the_boot_clock_counts_whatever_the_clock_was_set_to():
    owner = replace(this_process(attempt=1), host="container", pid=1)
    assert owner_is_alive(replace(owner, heartbeat_unix_seconds=0)) is True
    stale = owner.heartbeat_boot_seconds - 61
    assert owner_is_alive(replace(owner, heartbeat_boot_seconds=stale)) is False


def test_a_beat_moves_the_heartbeat_and_nothing_else():
    owner = this_process(attempt=1)
    later = beat(owner)
    assert later.heartbeat_boot_seconds > owner.heartbeat_boot_seconds
    assert later.started_unix_seconds == owner.started_unix_seconds
    assert (later.pid, later.attempt) == (owner.pid, owner.attempt)
