"""Faults 2 and 8: a checkpoint is there whole or not at all, whenever and however writing ends."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.crashing_publisher import manifest, write
from trainer.run.events import AnyEvent, CheckpointRejected, Notice
from trainer.run.layout import RunLayout
from trainer.run.manifest import verify_checkpoint
from trainer.train.checkpoint import (
    newest_verified_checkpoint,
    publish_checkpoint,
    remove_leftovers,
)


def test_fault_02_dying_before_any_call_of_publishing_leaves_the_old_or_the_new_checkpoint(
    tmp_path: Path,
):
    command = [sys.executable, "-m", "tests.faults.crashing_publisher", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    crashes = [json.loads(line) for line in run.stdout.splitlines()]
    assert [it["done"] for it in crashes] == [False] * (len(crashes) - 1) + [True]
    assert len(crashes) > 15  # calls that change the disk, and one publishing that gets through
    newest: list[int] = []
    for crash in crashes:
        layout = RunLayout(tmp_path / str(crash["call"]))
        events: list[AnyEvent] = []
        remove_leftovers(layout, events.append)
        found = newest_verified_checkpoint(layout, events.append)
        assert found is not None
        newest.append(found[1].step)
        assert verify_checkpoint(found[0]).total_bytes > 0
        assert not any(isinstance(event, CheckpointRejected) for event in events)
        half_written = [it for it in events if isinstance(it, Notice)]
        assert len(half_written) <= 1
        assert sorted(path.name for path in layout.checkpoints.iterdir()) == (
            ["step-00000005"] + ["step-00000010"] * (found[1].step == 10)
        )
    assert newest == sorted(newest)
    assert set(newest) == {5, 10}


@pytest.mark.parametrize("failing", range(6))
def test_fault_08_an_error_of_fsync_is_never_taken_for_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
):
    layout = RunLayout(tmp_path)
    publish_checkpoint(layout, manifest(5), write, 0)
    synced: list[int] = []
    fsync = os.fsync

    def broken(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == failing + 1:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        publish_checkpoint(layout, manifest(10), write, 0)
    assert len(synced) == failing + 1  # asked once: a second time the kernel may say yes
    assert [path.name for path in layout.checkpoints.iterdir()] == ["step-00000005"]
