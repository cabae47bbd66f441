"""The app: where keys and messages lead."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.messages import OpenNewRun
from qvl_tui.screens.help import HelpScreen
from qvl_tui.screens.new_run import NewRunScreen
from qvl_tui.screens.run import RunScreen
from qvl_tui.screens.runs import RunsScreen
from qvl_tui.settings import load_settings
from tests.qvl_tui.recorded import live, record_run
from trainer.run.layout import RunLayout


def played(app: QvlApp, script: Callable[[Pilot[str]], Awaitable[None]]) -> str | None:
    """Run the app through a script and return its last words."""

    async def play() -> str | None:
        async with app.run_test(size=(100, 30)) as pilot:
            await app.settled()
            await script(pilot)
        return app.return_value

    return asyncio.run(play())


def app_over(runs: Path, first: RunLayout | None = None) -> QvlApp:
    return QvlApp(Desk(runs), first=first)


def test_a_run_opened_at_the_start_leads_back_to_the_list(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", end="finished")
    app = app_over(tmp_path, layout)

    async def script(pilot: Pilot[str]) -> None:
        assert isinstance(app.screen, RunScreen)
        assert not [it for it in app.screen_stack if isinstance(it, RunsScreen)]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)
        await app.settled()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert len([it for it in app.screen_stack if isinstance(it, RunsScreen)]) == 1

    played(app, script)


def test_a_copy_of_the_run_opened_at_the_start_leads_back_to_the_list_too(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", end="finished")
    app = app_over(tmp_path, layout)

    async def script(pilot: Pilot[str]) -> None:
        app.screen.post_message(OpenNewRun(layout.config))
        await pilot.pause()
        assert isinstance(app.screen, NewRunScreen)
        await app.settled()
        app.screen.action_leave()
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)

    played(app, script)


def test_leaving_says_which_runs_go_on(tmp_path: Path):
    layout = record_run(tmp_path, "shapes")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("q")

    with live(layout):
        assert played(app_over(tmp_path), script) == (
            "shapes goes on; `qvl` shows it again, `qvl stop shapes` stops it"
        )
    assert played(app_over(tmp_path), script) == ""


def test_ctrl_q_leaves_from_where_text_is_typed_and_ctrl_c_says_so(tmp_path: Path):
    layout = record_run(tmp_path, "shapes")
    app = app_over(tmp_path)

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("ctrl+c")
        assert [it.message for it in app._notifications] == [
            "ctrl+q leaves qvl, and q where nothing is typed; runs go on"
        ]
        await pilot.press("N", "q", "q")
        assert app.is_running
        await pilot.press("ctrl+q")

    with live(layout):
        assert (played(app, script) or "").startswith("shapes goes on; ")


def test_a_theme_that_was_chosen_is_remembered(tmp_path: Path):
    app = app_over(tmp_path)

    async def script(pilot: Pilot[str]) -> None:
        app.theme = "qvl-light"
        await pilot.pause()

    played(app, script)
    assert load_settings()[0].theme == "qvl-light"


def test_a_notice_about_broken_settings_is_shown(tmp_path: Path):
    app = QvlApp(Desk(tmp_path), notice="view settings were [broken]")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.pause()
        assert [it.message for it in app._notifications] == ["view settings were [broken]"]

    played(app, script)


def test_the_question_mark_shows_the_keys_of_where_one_is(tmp_path: Path):
    app = app_over(tmp_path)

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)

    played(app, script)


def test_a_key_that_copies_or_cuts_nothing_leaves_what_was_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    record_run(tmp_path, "shapes", end="finished")
    app = app_over(tmp_path)
    copied: list[str] = []

    async def script(pilot: Pilot[str]) -> None:
        app.copy_to_clipboard("kept")
        monkeypatch.setattr(app._driver, "write", copied.append)
        await pilot.press("slash", *"loss", "ctrl+x", "ctrl+c")
        assert app.clipboard == "kept"
        assert not [it for it in copied if it.startswith("\x1b]52")]
        await pilot.press("shift+home", "ctrl+x")
        assert app.clipboard == "loss"

    played(app, script)
