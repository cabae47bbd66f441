import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import DataTable, OptionList

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import OpenRun
from qvl_tui.screens.help import HelpScreen
from qvl_tui.screens.palette import ActionProvider
from qvl_tui.themes import THEMES, dress
from qvl_tui.widgets.key_bar import BETWEEN, RULE, Entry, KeyBar, fitting
from qvl_tui.widgets.keys import is_typed, places, shown_key
from qvl_tui.widgets.pane import Pane
from trainer.words.lines import GLYPHS

ARROWS = Binding.Group("cursor", compact=True)


class Paper(Pane):
    title = "Paper [with brackets]"
    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "left", id="paper.left", tooltip="Step back", group=ARROWS),
        Binding("right", "move(1)", "right", id="paper.right", tooltip="Step on", group=ARROWS),
        Binding("w,W", "wrap", "wrap", id="paper.wrap", tooltip="Wrap [long] lines"),
    ]

    def show(self, feed: Feed) -> None: ...

    def action_move(self, by: int) -> None: ...

    def action_wrap(self) -> None: ...


class Place(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", id="place.stop", tooltip="Stop the run"),
        Binding("k", "checkpoint", "checkpoint", id="place.checkpoint", tooltip="Save now"),
        Binding("ctrl+y", "hide", "hide", id="place.hide", tooltip="A quiet one", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.may_stop = True

    def compose(self) -> ComposeResult:
        yield Paper()
        yield DataTable()
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return None if action == "stop" and not self.may_stop else True

    def action_stop(self) -> None:
        self.done.append("stop")

    def action_checkpoint(self) -> None:
        self.done.append("checkpoint")

    def action_hide(self) -> None:
        self.done.append("hide")


class Stage(App[None]):
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "leave", id="app.leave", tooltip="Leave; runs go on"),
        Binding("question_mark", "help", "help", id="app.help", tooltip="All keys"),
    ]

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.desk = Desk(runs)
        self.opened: list[str] = []
        dress(self)
        self.theme = "qvl-dark"

    def on_mount(self) -> None:
        self.push_screen(Place())

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_leave(self) -> None:
        self.exit()

    def on_open_run(self, message: OpenRun) -> None:
        self.opened.append(message.layout.name)


def play(
    runs: Path,
    script: Callable[[Pilot[None], Stage], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
) -> None:
    async def session() -> None:
        app = Stage(runs)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot, app)

    asyncio.run(session())


def shown(screen: Screen[Any]) -> str:
    strips = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def bar(app: App[Any]) -> str:
    return app.screen.query_one(KeyBar).render().plain


# --- help -------------------------------------------------------------------------------------


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


# --- the bar of keys --------------------------------------------------------------------------


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


# --- the palette ------------------------------------------------------------------------------


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


def test_keys_of_relatives_are_told_once_and_under_the_name_of_their_pane(tmp_path: Path):
    async def script(_pilot: Pilot[None], app: Stage) -> None:
        found = places(app.screen)
        titles = [place.title for place in found]
        assert titles == ["Place", "Paper [with brackets]", "Everywhere"]
        actions = [act.action for place in found for act in place.acts]
        assert len(actions) == len(set(actions))

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
