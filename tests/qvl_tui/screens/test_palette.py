"""The command palette."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import ClassVar, cast

import pytest
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.screens.palette import ActionProvider
from qvl_tui.themes import THEMES
from tests.qvl_tui.screens.key_stage import Place, Stage, play


def test_the_palette_does_every_action_and_opens_every_run(tmp_path: Path):
    (tmp_path / "a [b] run").mkdir()
    (tmp_path / "a [b] run" / "config.yaml").write_text("{}")

    async def script(pilot: Pilot[None], app: Stage) -> None:
        place = app.screen
        assert isinstance(place, Place)
        for query, wanted in (("checkpoint", "Place: checkpoint"), ("hide", "Place: hide")):
            await pilot.press("ctrl+p", *query)
            await app.workers.wait_for_complete()
            await pilot.pause()
            first = app.screen.query_one(OptionList).get_option_at_index(0)
            assert str(first.prompt).startswith(wanted)
            await pilot.press("enter")
            await pilot.pause()
        assert place.done == ["checkpoint", "hide"]

        await pilot.press("ctrl+p", *"open [b]")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.opened == ["a [b] run"]

    play(tmp_path, script)


def test_the_palette_shows_what_keys_mean_without_reading_markup_in_it(tmp_path: Path):
    meanings = [r"Wrap [[lines]] (\)", "[red]", "[/]", "a [", "ends in \\"]

    class Odd(Screen[None]):
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding(f"f{number}", f"odd({number})", "odd", id=f"odd.{number}", tooltip=meaning)
            for number, meaning in enumerate(meanings, 1)
        ]

        def action_odd(self, number: int) -> None: ...

    async def script(pilot: Pilot[None], app: Stage) -> None:
        app.push_screen(Odd())
        for query in ("", "odd"):
            await pilot.press("ctrl+p", *query)
            await app.workers.wait_for_complete()
            await pilot.pause()
            options = app.screen.query_one(OptionList).options
            told = [str(it.prompt).splitlines()[1] for it in options]
            for number, meaning in enumerate(meanings, 1):
                assert f"{meaning}  (F{number})" in told
            await pilot.press("escape")

    play(tmp_path, script)


def test_the_palette_changes_the_theme_and_leaves_out_what_is_impossible_now(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        assert isinstance(app.screen, Place)
        app.screen.may_stop = False
        await pilot.press("ctrl+p")
        await app.workers.wait_for_complete()
        await pilot.pause()
        lines = app.screen.query_one(OptionList)
        offered = [str(option.prompt) for option in lines.options]
        assert not [line for line in offered if line.startswith("Place: stop")]
        assert len([line for line in offered if line.startswith("Theme: ")]) == len(THEMES)
        await pilot.press(*"theme colour-blind-light")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.theme == "qvl-colour-blind-light"

    play(tmp_path, script)


def test_the_chosen_line_of_the_palette_shows_without_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def session() -> None:
        app = QvlApp(Desk(tmp_path))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("ctrl+p", *"leave")
            await app.workers.wait_for_complete()
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            lines = {"".join(segment.text for segment in strip).strip(): strip for strip in strips}
            (chosen,) = (strip for text, strip in lines.items() if text.startswith("Leave qvl"))
            styles = [segment.style for segment in chosen if segment.text.strip()]
            assert styles
            assert all(style and style.underline and not style.color for style in styles)

    asyncio.run(session())


def test_enter_pressed_twice_does_once_what_the_palette_offers(tmp_path: Path):
    async def script(pilot: Pilot[None], app: Stage) -> None:
        place = app.screen
        assert isinstance(place, Place)
        await pilot.press("ctrl+p", *"checkpoint")
        await app.workers.wait_for_complete()
        await pilot.pause()
        for _ in range(3):  # at once, as keys come that were pressed while the line was slow
            app.post_message(Key("enter", None))
        await pilot.pause()
        await pilot.pause()
        assert app.screen is place
        assert place.done == ["checkpoint"]

    play(tmp_path, script)


def test_what_the_palette_offers_is_not_done_on_a_screen_that_is_gone(tmp_path: Path):
    async def script(_pilot: Pilot[None], app: Stage) -> None:
        place = Place()
        await app.push_screen(place)
        provider = ActionProvider(place)
        await provider.startup()
        stop = next(it for it in provider._offers if it.name == "Place: stop")
        await app.pop_screen()
        await cast("Coroutine[None, None, None]", stop.do())
        assert not place.done

    play(tmp_path, script)
