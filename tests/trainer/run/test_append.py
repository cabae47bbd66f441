import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.run.append import EventWriter, append_line
from trainer.run.codec import decode
from trainer.run.events import Notice, Resumed
from trainer.run.tail import EventTail


def note(text: str = "x") -> Notice:
    return Notice(topic="test", message=text)


def test_the_writer_counts_and_stamps_what_it_writes(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    with EventWriter(path, attempt=2) as writer:
        first, second = writer.write(note()), writer.write(Resumed(step=3))
    assert (first.seq, second.seq, second.attempt, second.step) == (0, 1, 2, 3)
    assert 0 <= first.elapsed <= second.elapsed
    assert first.time > 1.7e9
    assert [decode(line) for line in path.read_bytes().splitlines()] == [first, second]


def test_a_new_attempt_counts_from_zero_and_appends(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    for attempt in (1, 2):
        with EventWriter(path, attempt) as writer:
            writer.write(note())
    assert [(e.attempt, e.seq) for e in EventTail(path).read()] == [(1, 0), (2, 0)]


def test_only_the_user_may_read_the_file(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    EventWriter(path, 1).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_tail_of_an_earlier_attempt_is_ended_and_costs_one_line(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    with EventWriter(path, 1) as writer:
        writer.write(note("whole"))
    with path.open("ab") as file:
        file.write(b'{"seq":1,"time":17')
    with EventWriter(path, 2) as writer:
        writer.write(note("after"))
    tail = EventTail(path)
    assert [e.message for e in tail.read() if isinstance(e, Notice)] == ["whole", "after"]
    assert tail.broken_lines == 1


def test_closing_twice_is_harmless(tmp_path: Path):
    writer = EventWriter(tmp_path / "events.jsonl", 1)
    writer.sync()
    writer.close()
    writer.close()


def test_a_full_device_is_an_os_error():
    writer = EventWriter(Path("/dev/full"), 1)
    with pytest.raises(OSError, match="No space left"):
        writer.write(note())
    writer.close()


# A limit on the size of files makes the kernel write part of a line, just as a full disk does.
SHORT_WRITE = """
import resource, sys
from pathlib import Path
from trainer.run.append import EventWriter, append_line
from trainer.run.events import Notice

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

path, kind = Path(sys.argv[1]), sys.argv[2]
writer = EventWriter(path, 1)
writer.write(Notice(topic="test", message="first"))
size = path.stat().st_size
limit(size + 20)
try:
    if kind == "event":
        writer.write(Notice(topic="test", message="too long"))
    else:
        append_line(path, b'{"id":"a command that is too long"}')
except OSError as error:
    print("refused", error.errno, path.stat().st_size - size)
limit(resource.RLIM_INFINITY)
if kind == "event":
    last = writer.write(Notice(topic="test", message="second"))
    print("seq", last.seq)
else:
    append_line(path, b'{"id":"second"}')
"""


def short_write(path: Path, kind: str) -> str:
    command = [sys.executable, "-c", SHORT_WRITE, str(path), kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_short_write_leaves_nothing_behind_and_the_next_event_follows_in_order(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    assert short_write(path, "event") == "refused 28 0\nseq 1\n"
    events = EventTail(path).read()
    assert [e.message for e in events if isinstance(e, Notice)] == ["first", "second"]


def test_a_short_write_into_a_shared_file_is_ended_by_the_next_line(tmp_path: Path):
    path = tmp_path / "commands.jsonl"
    assert short_write(path, "line") == "refused 28 20\n"
    lines = path.read_bytes().splitlines()
    assert len(lines) == 3
    assert lines[-1] == b'{"id":"second"}'


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = disk / "events.jsonl"
        with EventWriter(path, 1) as writer:
            written = _fill(writer)
            tail = EventTail(path)
            assert [e.seq for e in tail.read()] == list(range(written))
            assert path.read_bytes().endswith(b"\n")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(writer: EventWriter) -> int:
    """Write until the disk is full and return how many events there are."""
    for count in range(1_000):
        try:
            writer.write(note("x" * 700))
        except OSError:
            return count
    raise AssertionError("the disk never became full")


def test_lines_of_several_processes_stay_whole(tmp_path: Path):
    path = tmp_path / "commands.jsonl"
    code = (
        "import sys; from pathlib import Path; from trainer.run.append import append_line\n"
        "for _ in range(200): append_line(Path(sys.argv[1]), sys.argv[2].encode() * 100)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "abc"
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    lines = [line for line in path.read_bytes().splitlines() if line]
    assert sorted(lines) == sorted([letter * 100 for letter in (b"a", b"b", b"c")] * 200)


def test_a_newline_is_added_to_a_line_only_where_it_lacks_one(tmp_path: Path):
    path = tmp_path / "commands.jsonl"
    append_line(path, b"one")
    append_line(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
