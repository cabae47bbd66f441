"""Two screens over the same runs and the same settings: both act, neither is harmed."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from qvl_tui.settings import load_settings, settings_path
from tests.qvl_tui.fuzz.commands import Answer, Commands
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW, Recipe, step_event
from trainer.run.codec import encode
from trainer.run.layout import RunLayout

CHANGES = {"s": "smoothing", "a": "x_axis", "y": "log_y_charts", "g": "chart_columns"}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunLayout]:
    """A run that lives, and settings of nobody yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    layout = record_run(tmp_path / "runs", "shared", steps=30)
    with live(layout):
        yield layout


@pytest.fixture
def two(layout: RunLayout) -> Iterator[tuple[Player, Player]]:
    """Two screens that show the run."""
    with ExitStack() as open_ones:
        players = [open_ones.enter_context(Player(_desk(layout))) for _ in range(2)]
        for player in players:
            player.post(OpenRun(layout))
            player.wait(0.6)
        yield players[0], players[1]


def _desk(layout: RunLayout) -> Desk:
    return Desk(layout.root.parent, settings=load_settings()[0], now=lambda: NOW)


def test_both_screens_show_the_step_that_was_written_last(
    layout: RunLayout, two: tuple[Player, Player]
):
    for step in (31, 32, 33):
        with layout.events.open("ab") as file:
            file.write(encode(step_event(step, Recipe(total=600))))
        for player in two:
            player.wait(1)
            assert f"{step}/600" in player.picture()
            player.look()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(sorted(CHANGES))), min_size=1))
def _settings_stay_whole(two: tuple[Player, Player], presses: list[tuple[int, str]]) -> None:
    for which, key in presses:
        two[which].press(key)
        two[which].wait()
        kept, complaint = load_settings()
        assert complaint is None
        assert kept == two[which].app.desk.settings


def test_the_screen_that_changes_a_setting_last_wins_and_the_file_is_whole(
    two: tuple[Player, Player],
):
    _settings_stay_whole(two)
    orjson.loads(settings_path().read_bytes())
    assert [it.name for it in settings_path().parent.iterdir()] == [settings_path().name]


def test_two_stops_of_one_run_both_tell_what_came_of_it(
    layout: RunLayout, two: tuple[Player, Player], monkeypatch: pytest.MonkeyPatch
):
    commands = Commands(layout.root.parent)
    monkeypatch.setattr("qvl_tui.actions.asyncio.create_subprocess_exec", commands.start)
    for player, answer in zip(two, (Answer(), Answer(1, "shared: is stopping")), strict=True):
        commands.answer = answer
        player.press("x")
        player.wait()
        player.press("y")
        player.wait()
    assert commands.asked == ["stop", "stop"]
    assert "stop acknowledged" in two[0].picture()
    assert "shared: is stopping" in two[1].picture()


def test_a_run_that_one_screen_moves_away_is_told_on_the_other(
    layout: RunLayout, two: tuple[Player, Player]
):
    one, other = two
    shutil.move(layout.root, layout.root.parent.parent / "away")
    for player in two:
        player.wait(5)
        assert "its folder is gone" in player.picture()
    one.press("escape")
    one.wait(2)
    other.press(*"12345678", "escape")
    other.wait(2)
    for player in two:
        assert "shared" not in player.picture()
