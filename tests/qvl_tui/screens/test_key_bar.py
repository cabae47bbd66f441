"""The bar of keys at the foot of a screen."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import DataTable

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.screens.help import HelpScreen
from qvl_tui.widgets.key_bar import BETWEEN, RULE, Entry, KeyBar, fitting
from qvl_tui.widgets.keys import is_typed, shown_key
from tests.qvl_tui.screens.key_stage import Paper, Place, Stage, bar, play


def test_the_bar_shows_screen_focus_and_app_with_groups_joined(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        app.screen.query_one(Paper).focus()
        await pilot.pause()
        line = bar(app)
        assert line.startswith(" x stop  k checkpoint  │  ←→ cursor  w wrap  ")
        assert line.rstrip().endswith("q leave  ? help")
        assert line.count("│") == 1
        assert "quiet" not in line
        assert len(line) <= 120

    play(tmp_path, script)


def test_the_bar_follows_the_focus(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        app.screen.query_one(DataTable).focus()
        await pilot.pause()
        assert "wrap" not in bar(app)

    play(tmp_path, script)


def test_the_bar_is_not_drawn_anew_when_nothing_changed(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        drawn = 0
        widget = app.screen.query_one(KeyBar)
        draw = widget.render

        def counted() -> Any:
            nonlocal drawn
            drawn += 1
            return draw()

        widget.render = counted  # type: ignore[method-assign]
        app.screen.refresh_bindings()
        await pilot.pause()
        assert drawn == 0
        assert isinstance(app.screen, Place)
        app.screen.may_stop = False
        app.screen.refresh_bindings()
        await pilot.pause()
        assert drawn == 1

    play(tmp_path, script)


def test_a_click_on_the_bar_presses_the_key(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        await pilot.click(KeyBar, offset=(12, 0))
        await pilot.pause()
        assert isinstance(app.screen, Place)
        assert app.screen.done == ["checkpoint"]

    play(tmp_path, script)


def test_entries_are_dropped_whole_and_the_ones_for_everywhere_last():
    screen = tuple(Entry(key, "does something", key) for key in "abcdef")
    pane = tuple(Entry(key, "moves", key) for key in "uvwxyz")
    everywhere = (Entry("?", "help", "?"), Entry("q", "leave", "q"))

    for width in range(16, 200):
        kept = fitting((screen, pane, everywhere), width)
        line = RULE.join(
            BETWEEN.join(f"{entry.keys} {entry.words}" for entry in section)
            for section in kept
            if section
        )
        assert len(line) + 2 <= width
        assert kept[2] == everywhere or width < 18
    assert fitting((screen, pane, everywhere), 200) == (screen, pane, everywhere)


def test_a_steady_bar_keeps_the_places_of_keys_that_cannot_be_used_now():
    dimmed = tuple(Entry(key, "does it", key, enabled=key != "a") for key in "abcdef")
    everywhere = (Entry("q", "leave", "q"),)

    def keys(*, steady: bool) -> str:
        section, _ = fitting((dimmed, everywhere), 50, steady=steady)
        return "".join(entry.keys for entry in section)

    assert keys(steady=True) == "abc"
    assert keys(steady=False) == "bcd"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("f5", "F5"),
        ("ctrl+p", "ctrl+p"),
        ("ctrl+up", "ctrl+↑"),
        ("shift+f10", "shift+F10"),
        ("f", "f"),
        ("question_mark", "?"),
        ("exclamation_mark", "!"),
        ("escape", "escape"),
        ("enter", "enter"),
        ("pageup", "pgup"),
        ("space", "space"),
    ],
)
def test_a_key_is_written_as_in_the_guide(key: str, shown: str):
    assert shown_key(Binding(key, "x")) == shown


def test_a_key_that_writes_is_known_however_it_is_shown():
    typed = ("x", "N", "space", "slash", "plus", "minus", "question_mark", "left_square_bracket")
    for key in typed:
        assert is_typed(Binding(key, "x", key_display="+-"))
    for key in ("f1", "escape", "left", "ctrl+x", "enter", "home", "tab"):
        assert not is_typed(Binding(key, "x", key_display="k"))


def test_where_text_is_typed_the_bar_names_the_key_for_help_that_works_there(tmp_path: Path):
    async def session() -> None:
        app = QvlApp(Desk(tmp_path))
        async with app.run_test(size=(120, 40)) as pilot:
            await app.settled()
            await pilot.pause()
            assert bar(app).rstrip().endswith("q leave  ? help")
            await pilot.press("slash")
            await pilot.pause()
            assert bar(app).startswith(" enter to the runs  escape all runs  ")
            assert bar(app).rstrip().endswith("F1 help")
            assert "q leave" not in bar(app)
            await pilot.press("question_mark")
            assert not isinstance(app.screen, HelpScreen)
            await pilot.press("f1")
            assert isinstance(app.screen, HelpScreen)

    asyncio.run(session())
