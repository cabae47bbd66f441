"""Fault 22: an event file that is torn, damaged, cut, replaced or of another version."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from tests.faults.conftest import Kept
from tests.qvl_tui.player import Player
from trainer.cli.status import overview, status_lines
from trainer.run.events import AnyEvent, Step
from trainer.run.layout import RunLayout
from trainer.run.reader import RunReader
from trainer.run.state import RunState
from trainer.run.tail import EventTail

GARBAGE = b"\x00\xff\xfe\x1b[2J\x9b\xc3(" * 50
OTHER_VERSION = b'{"type": "weather", "attempt": 1, "seq": 7}'
TOLD = "2 lines are broken and 1 line is written by another version"


def state_of(layout: RunLayout) -> RunState:
    """Return what all files of a run that nobody writes come to."""
    reader = RunReader(layout)
    while not reader.caught_up:
        reader.apply(reader.read(complete=True))
    return reader.state


def losses_in(state: RunState) -> dict[int, float]:
    return dict(zip(map(int, state.steps["step"]), state.steps["loss"], strict=True))


def damage(path: Path) -> None:
    """Put garbage and an event of another version in the middle, and tear the last line."""
    lines = path.read_bytes().splitlines()
    middle = len(lines) // 2
    lines[middle:middle] = [GARBAGE, OTHER_VERSION]
    path.write_bytes(b"\n".join(lines)[:-9])


def test_fault_22_what_is_no_event_is_counted_and_shown_and_all_else_is_taken(kept: Kept):
    whole = state_of(kept.layout)
    damage(kept.layout.events)
    state = state_of(kept.layout)
    assert (state.broken_lines, state.unknown_types) == (2, 1)
    assert losses_in(state) == losses_in(whole) != {}
    assert [it.step for it in state.kept_checkpoints] == [2, 4]

    status = overview(kept.layout)
    assert (status.as_json()["broken_lines"], status.as_json()["unknown_events"]) == (2, 1)
    assert any(TOLD in line for line in status_lines(status))
    with Player(Desk(kept.layout.root.parent), size=(160, 48)) as player:
        player.post(OpenRun(kept.layout))
        player.wait(3)
        assert TOLD in player.picture()
        assert "4/4" in player.picture()
        player.look()


def test_fault_22_the_next_attempt_writes_on_behind_a_torn_line(kept: Kept):
    damage(kept.layout.events)
    kept.resumed().go()
    state = state_of(kept.layout)
    assert (state.broken_lines, state.unknown_types) == (2, 1)
    assert losses_in(state) == kept.expected
    assert state.attempt == 2
    again = [it for it in EventTail(kept.layout.events).read() if it.attempt == 2]
    assert [it.seq for it in again] == list(range(len(again)))  # the first one is whole too


def until_second_step(path: Path) -> bytes:
    """Return a file up to the beginning of its second step."""
    steps = [
        it.start() for it in re.finditer(rb'\{"seq":\d+.{0,99}"type":"step"', path.read_bytes())
    ]
    return path.read_bytes()[: steps[1]]


def cut(path: Path) -> None:
    """Leave a torn line, behind which the trainer writes on."""
    os.truncate(path, len(until_second_step(path)) + 20)


def replace(path: Path) -> None:
    """Put another file there, which the trainer that holds the old one does not write to."""
    (path.parent / "other").write_bytes(until_second_step(path) + GARBAGE + b"\n")
    (path.parent / "other").replace(path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(("harm", "then"), [(cut, [1, 5, 6]), (replace, [1]), (remove, [1, 2])])
def test_fault_22_a_file_that_is_cut_replaced_or_gone_while_it_is_read_stops_nobody(
    kept: Kept, harm: Callable[[Path], None], then: list[int]
):
    trained = kept.training("training.max_steps=6", name="harmed")
    layout = trained.setup.run.layout
    reader = RunReader(layout)

    def read(event: AnyEvent) -> None:
        if isinstance(event, Step) and event.step == 4:
            harm(layout.events)
        while reader.apply(reader.read()):
            pass

    trained.setup.recorder.also = read
    assert trained.go() == "finished"
    steps = losses_in(reader.state)
    assert list(steps) == then
    assert reader.state.broken_lines == (harm is not remove)
