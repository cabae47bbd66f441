import os
import stat
from pathlib import Path

import pytest

from trainer.run.about import About, read_about
from trainer.run.layout import RunLayout
from trainer.run.liveness import holder, run_status
from trainer.run.lock import is_locked
from trainer.run.regular import SMALL_BYTES, open_regular, read_small, why_unreadable
from trainer.run.tail import Tail


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_at_once(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"no regular file") as caught:
        open_regular(path)
    assert why_unreadable(caught.value) == "events.jsonl is no regular file"
    with pytest.raises(OSError, match="no regular file"):
        Tail(path).read()


@pytest.mark.parametrize("path", ["/dev/zero", "/proc"])
def test_devices_and_folders_are_no_files(path: str):
    with pytest.raises(OSError, match="no regular file"):
        open_regular(Path(path))


def test_a_file_is_open_for_reading_and_closed_on_exec(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    descriptor = open_regular(path)
    assert stat.S_ISREG(os.fstat(descriptor).st_mode)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert read_small(path) == b"content"


def test_a_large_file_is_not_read_into_memory(tmp_path: Path):
    path = tmp_path / "about.json"
    with path.open("wb") as file:
        file.truncate(SMALL_BYTES + 1)
    with pytest.raises(OSError, match="is larger than"):
        read_small(path)
    assert read_about(RunLayout(tmp_path)) == About()


@pytest.mark.timeout(20)
def test_who_holds_a_run_is_known_without_its_owner_file(tmp_path: Path):
    layout = RunLayout(tmp_path)
    os.mkfifo(layout.owner)
    assert holder(layout).owner is None
    assert not run_status(layout).held


def test_a_run_folder_that_is_a_loop_is_not_locked(tmp_path: Path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert not is_locked(loop)
