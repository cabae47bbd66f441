import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.run.building import supervisor
from trainer.run.append import EventWriter
from trainer.run.events import Alert, Exit, MonitorMoved
from trainer.run.layout import RunLayout
from trainer.run.liveness import TAIL_BYTES, load_state, quick_state
from trainer.run.moving_tail import MovingTail
from trainer.run.reader import RunReader


def alert(number: int, words: str = "") -> Alert:
    told = f"{number} {words}"
    return Alert(rule="r", severity="bad", step=number, value=None, message=told, advice="")


class Written:
    """A monitor.jsonl that is moved aside now and then."""

    def __init__(self, folder: Path) -> None:
        self.layout = RunLayout(folder)
        for path in (self.layout.monitor, self.layout.monitor_before):
            path.unlink(missing_ok=True)
        self.writer = EventWriter(self.layout.monitor, 1)
        self.count = 0

    def write(self) -> None:
        self.writer.write(alert(self.count))
        self.count += 1

    def move(self, copies: int) -> None:
        lines = self.layout.monitor.read_bytes().splitlines(keepends=True)[-copies:]
        moved = MonitorMoved(file="monitor.jsonl.1", copies=len(lines))
        self.writer.begin_anew(self.layout.monitor_before, moved, b"".join(lines))


def numbers_in(lines: list[bytes]) -> list[int]:
    return [int(line.split(b'"step":')[1].split(b",")[0]) for line in lines if b"step" in line]


def read_to_the_end(tail: MovingTail) -> list[int]:
    seen = numbers_in(tail.read())
    while not tail.at_end:
        seen += numbers_in(tail.read())
    return seen


@given(st.lists(st.sampled_from(["write", "move", "read", "bite"]), max_size=40))
def test_every_line_is_read_once_wherever_the_file_moves(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
):
    written = Written(tmp_path_factory.getbasetemp())
    tail = MovingTail(written.layout.monitor, written.layout.monitor_before)
    seen = numbers_in(tail.read())
    moved = False  # since all was read
    for deed in [*deeds, "read"]:
        if deed == "write":
            written.write()
        elif deed == "bite":
            seen += numbers_in(tail.read(max_bytes=150))
        elif deed == "read":
            seen += read_to_the_end(tail)
            moved = False
        elif not moved:  # twice before all was read is another test
            written.move(copies=3)
            moved = True
        assert not tail.restarted
    assert seen == list(range(written.count))


def test_a_file_that_moved_twice_unseen_is_read_anew_from_what_it_carries(tmp_path: Path):
    written = Written(tmp_path)
    reader = RunReader(written.layout)
    written.writer.write(supervisor())
    reader.apply(reader.read())
    before = reader.state
    for _ in range(2):
        written.move(copies=100)
        written.write()
    while not reader.caught_up or reader.state is before:
        reader.apply(reader.read())
    assert reader.state.current.supervisor is not None
    assert [it.step for it in reader.state.alerts] == [0, 1]


def test_a_reader_goes_on_with_the_same_state_and_says_nothing_twice(tmp_path: Path):
    written = Written(tmp_path)
    reader = RunReader(written.layout)
    written.write()
    assert len(reader.apply(reader.read())) == 1
    before = reader.state
    written.write()
    written.move(copies=100)
    written.write()
    told = reader.apply(reader.read())
    while not reader.caught_up:
        told += reader.apply(reader.read())
    assert [type(it) for it in told] == [Alert, MonitorMoved, Alert]
    assert reader.state is before
    assert [it.step for it in reader.state.alerts] == [0, 1, 2]
    assert [it.step for it in load_state(written.layout).alerts] == [0, 1, 2]


def test_the_start_of_an_attempt_is_found_before_more_alerts_than_are_looked_at(tmp_path: Path):
    layout = RunLayout(tmp_path)
    with EventWriter(layout.monitor, 2) as writer:
        writer.write(supervisor(2))
        while layout.monitor.stat().st_size < 2 * TAIL_BYTES:
            writer.write(alert(0, "x" * 10_000))
        assert quick_state(layout).current.supervisor is not None
        writer.write(Exit(state="stopped", code=3, step=7))
    state = quick_state(layout)
    assert state.attempt == 2
    assert state.current.exit is not None
    assert state.current.exit.step == 7


def test_a_move_that_was_cut_short_is_made_whole_by_the_next(tmp_path: Path):
    written = Written(tmp_path)
    written.write()
    os.link(written.layout.monitor, written.layout.monitor_before)
    written.move(copies=1)
    written.write()
    tail = MovingTail(written.layout.monitor, written.layout.monitor_before)
    assert numbers_in(tail.read()) == [0, 1]
    assert numbers_in(written.layout.monitor_before.read_bytes().splitlines()) == [0]
