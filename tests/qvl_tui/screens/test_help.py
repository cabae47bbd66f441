"""The help overlay, from the bindings."""

from pathlib import Path

from textual.pilot import Pilot

from qvl_tui.screens.help import HelpScreen
from qvl_tui.widgets.keys import places
from tests.qvl_tui.screens.key_stage import Place, Stage, play, shown
from trainer.words.lines import GLYPHS


def test_help_lists_every_binding_by_place_with_its_meaning(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        text = shown(app.screen)
        for words in ("Stop the run", "Save now", "A quiet one", "Wrap [long] lines", "Step back"):
            assert words in text
        for title in ("Place", "Paper [with brackets]", "Everywhere"):
            assert title in text
        assert "w W" in text, "keys of one action share a line"
        assert "ctrl+y" in text

    play(tmp_path, script)


def test_help_explains_every_state(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        await pilot.press("question_mark", *"states of a run")
        await pilot.pause()
        text = shown(app.screen)
        for state, glyph in GLYPHS.items():
            assert f"{glyph} {state}" in text

    play(tmp_path, script, (80, 24))


def test_help_is_searched_by_typing(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        await pilot.press("question_mark", *"save now")
        await pilot.pause()
        assert "Save now" in shown(app.screen)
        assert "Stop the run" not in shown(app.screen)
        await pilot.press(*"[/]")
        await pilot.pause()
        assert "nothing here speaks of “save now[/]”" in shown(app.screen)

    play(tmp_path, script)


def test_question_mark_and_escape_close_help(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        for key in ("question_mark", "escape"):
            await pilot.press("question_mark", "a")
            assert isinstance(app.screen, HelpScreen)
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, Place)

    play(tmp_path, script)


def test_help_scrolls_by_keys_in_a_small_window(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        before = shown(app.screen)
        assert "not known" not in before
        await pilot.press("down")
        await pilot.pause()
        assert shown(app.screen) != before
        await pilot.press("up", *["pagedown"] * 9)
        await pilot.pause()
        assert "not known" in shown(app.screen)

    play(tmp_path, script, (80, 24))


def test_keys_of_relatives_are_told_once_and_under_the_name_of_their_pane(tmp_path: Path):
    async def script(_pilot: Pilot[None], app: Stage) -> None:
        found = places(app.screen)
        titles = [place.title for place in found]
        assert titles == ["Place", "Paper [with brackets]", "Everywhere"]
        actions = [act.action for place in found for act in place.acts]
        assert len(actions) == len(set(actions))

    play(tmp_path, script)
