import os
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from trainer.run.append import EventWriter
from trainer.run.events import Notice, Resumed
from trainer.run.tail import EventTail, Tail


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_missing_file_has_no_lines_and_is_read_once_it_is_there(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    assert tail.read() == []
    assert tail.at_end
    append(tail.path, b"one\n")
    assert tail.read() == [b"one"]
    assert not tail.restarted


def test_a_torn_last_line_waits_until_it_is_whole(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"one\ntw")
    assert tail.read() == [b"one"]
    assert tail.read() == []
    append(tail.path, b"o\n")
    assert tail.read() == [b"two"]


def test_a_torn_last_line_of_a_dead_run_is_returned_when_asked_for(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"one\ntw")
    assert tail.read(complete=True) == [b"one", b"tw"]
    assert tail.read(complete=True) == []


@given(
    data=st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\xff", b"\r"]), max_size=60).map(b"".join),
    cuts=st.lists(st.integers(0, 80), max_size=8),
    max_bytes=st.integers(1, 20),
)
def test_however_the_bytes_arrive_the_lines_are_the_same(
    data: bytes, cuts: list[int], max_bytes: int
):
    with TemporaryDirectory() as folder:
        tail = Tail(Path(folder) / "events.jsonl")
        lines: list[bytes] = []
        borders = sorted({0, *cuts, len(data)})
        for begin, end in pairwise(borders):
            append(tail.path, data[begin:end])
            lines += tail.read(max_bytes=max_bytes)
        while not tail.at_end:
            lines += tail.read(max_bytes=max_bytes)
        lines += tail.read(complete=True)
    expected = data.split(b"\n")
    assert lines == (expected if expected[-1] else expected[:-1])


@given(start=st.integers(0, 14))
def test_reading_from_the_middle_begins_with_the_first_whole_line(start: int):
    data = b"one\ntwo\n\nfour\n"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        append(path, data)
        lines = Tail(path, start=start).read()
    begin = 0 if start == 0 else data.find(b"\n", start - 1) + 1
    assert lines == data[begin:].split(b"\n")[:-1]


def test_one_read_is_bounded_and_says_whether_there_is_more(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"x" * 9 + b"\n" + b"y" * 9 + b"\n")
    assert tail.read(max_bytes=12) == [b"x" * 9]
    assert not tail.at_end
    assert tail.read(max_bytes=12) == [b"y" * 9]
    assert tail.at_end


def test_a_shrunk_file_is_read_from_its_start(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"one\ntwo\n")
    tail.read()
    os.truncate(tail.path, 4)
    assert tail.read() == [b"one"]
    assert tail.restarted
    assert tail.read() == []
    assert not tail.restarted


def test_a_replaced_file_is_read_from_its_start(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"one\ntor")
    tail.read()
    other = tmp_path / "other"
    append(other, b"uno\ndue\ntre\n")
    other.replace(tail.path)
    assert tail.read() == [b"uno", b"due", b"tre"]
    assert tail.restarted


def test_a_file_rewritten_in_place_to_a_greater_length_is_noticed(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl")
    append(tail.path, b"one\n")
    tail.read()
    tail.path.write_bytes(b"uno\ndue\n")
    assert tail.read() == [b"uno", b"due"]
    assert tail.restarted


def test_a_line_above_the_limit_is_skipped_and_counted_once(tmp_path: Path):
    tail = Tail(tmp_path / "events.jsonl", max_line_bytes=10)
    append(tail.path, b"one\n" + b"x" * 35)
    lines = tail.read(max_bytes=8)
    while not tail.at_end:
        lines += tail.read(max_bytes=8)
    append(tail.path, b"x\ntwo\n" + b"y" * 11 + b"\nthree\n")
    lines += tail.read()
    assert lines == [b"one", b"two", b"three"]
    assert tail.long_lines == 2


def test_garbage_and_unknown_events_are_counted_and_passed_over(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    with EventWriter(path, 1) as writer:
        writer.write(Notice(topic="a", message="b"))
        append(path, b"\x00\xff\x1b[31m\n\n   \n[]\n" + b'{"type":"weather"}\n')
        writer.write(Resumed(step=1))
    tail = EventTail(path)
    assert [event.type for event in tail.read()] == ["notice", "resumed"]
    assert (tail.broken_lines, tail.unknown_types) == (2, 1)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_of_events_raise(data: bytes):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        append(path, data)
        EventTail(path).read(complete=True)
