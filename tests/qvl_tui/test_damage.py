"""Whatever happens to the window and the files of a run, the screens go on and tell it."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.message import Message
from textual.pilot import Pilot

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.feed import Reader
from qvl_tui.last_words import runs_that_go_on
from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun
from qvl_tui.screens.run import RunScreen
from tests.qvl_tui.recorded import NOW, Recipe, record_run, step_event
from trainer.run.codec import encode

Script = Callable[[Pilot[str], QvlApp], Awaitable[None]]


def play(runs: Path, script: Script, opened: Message | None = None, width: int = 120) -> None:
    """Open the app over a runs folder, and a screen in it, and go through a script."""

    async def run() -> None:
        app = QvlApp(Desk(runs, now=lambda: NOW))
        async with app.run_test(size=(width, 40)) as pilot:
            await app.settled()
            if opened:
                app.post_message(opened)
                await pilot.pause()
                await app.settled()
            await script(pilot, app)

    asyncio.run(run())


def picture(app: QvlApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def until_shown(pilot: Pilot[str], app: QvlApp, words: str, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while words not in picture(app):
            await pilot.pause(0.05)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def damage(path: Path, kind: str) -> None:
    """Put something else where a file or a folder was."""
    remove(path)
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path.name)
        case "garbage":
            path.write_bytes(bytes(range(256)) * 20)
        case _:
            assert kind == "gone"


def size_of_window(app: QvlApp) -> tuple[set[int], int]:
    """Return how wide the lines of the picture are, and how many there are."""
    strips = app.screen._compositor.render_strips()
    return {strip.cell_length for strip in strips}, len(strips)


@pytest.mark.parametrize("screen", ["runs", "run", "compare", "new", "help", "palette"])
def test_a_window_of_one_cell_and_back_harms_no_screen(screen: str, tmp_path: Path):
    first = record_run(tmp_path, "one", steps=30)
    second = record_run(tmp_path, "two", steps=30, end="finished")
    messages: dict[str, Message] = {
        "run": OpenRun(first),
        "compare": OpenCompare([first, second]),
        "new": OpenNewRun(),
    }

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        if screen in ("help", "palette"):
            await pilot.press({"help": "question_mark", "palette": "ctrl+p"}[screen])
        for columns, rows in ((1, 1), (10, 3), (120, 1), (80, 24)):
            await pilot.resize_terminal(columns, rows)
            await pilot.press("down", "up")
            assert size_of_window(app) == ({columns}, rows)

    play(tmp_path, script, messages.get(screen))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        ("events", "folder", "events.jsonl is no regular file"),
        ("events", "pipe", "events.jsonl is no regular file"),
        ("monitor", "loop", "monitor.jsonl Too many levels"),
        ("root", "gone", "its folder is gone"),
        ("root", "garbage", "its folder is gone"),
    ],
)
def test_the_run_screen_tells_which_file_cannot_be_read(
    file: str, kind: str, words: str, tmp_path: Path
):
    layout = record_run(tmp_path, "shapes", steps=30)

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        damage(getattr(layout, file), kind)
        await until_shown(pilot, app, f"cannot be read: {words}")
        await pilot.press(*"2345678")
        assert "30/600" in picture(app)

    play(tmp_path, script, OpenRun(layout))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", ["events", "telemetry", "owner", "about", "config", "console"])
def test_a_pipe_in_place_of_a_file_keeps_no_screen_waiting(file: str, tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=30)
    other = record_run(tmp_path, "others", steps=30)
    damage(getattr(layout, file), "pipe")

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        for opened in (OpenRun(layout), OpenCompare([layout, other])):
            app.post_message(opened)
            await pilot.pause()
            await app.settled()
            await pilot.press(*"236")
            await app.settled()
            assert "shapes" in picture(app)
            told = f"⚠ cannot be read: {file}" in picture(app)
            assert told == (file in ("events", "telemetry"))

    play(tmp_path, script)


def test_a_run_that_can_be_read_again_is_shown_again(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=30)
    aside = tmp_path / ".aside"

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        layout.root.rename(aside)
        await until_shown(pilot, app, "its folder is gone")
        aside.rename(layout.root)
        with layout.events.open("ab") as file:
            file.write(encode(step_event(31, Recipe())))
        await until_shown(pilot, app, "31/600")
        assert "cannot be read" not in picture(app)

    play(tmp_path, script, OpenRun(layout))


@pytest.mark.parametrize("kind", ["gone", "garbage", "loop"])
def test_a_runs_folder_that_vanishes_is_told_and_can_be_left(kind: str, tmp_path: Path):
    runs = tmp_path / "runs"
    record_run(runs, "shapes", steps=30)

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        damage(runs, kind)
        await pilot.press("f5")
        await app.settled()
        await pilot.pause()
        assert "120/600" not in picture(app)
        await pilot.press("ctrl+p")
        await app.settled()
        await pilot.press("escape", "q")
        assert app._exit

    play(runs, script)


def test_what_goes_on_is_not_told_of_a_folder_that_cannot_be_read(tmp_path: Path):
    folder = tmp_path / ("long" * 100)
    assert runs_that_go_on(folder) == ""


def test_an_error_of_the_reader_is_told_and_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    layout = record_run(tmp_path, "shapes", steps=30)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such event")

    async def look() -> None:
        monkeypatch.setattr("trainer.run.files.decode_lines", broken)
        reader = Reader()
        feed = reader.open(layout)
        async with asyncio.timeout(10):
            while not feed.problem:
                await asyncio.sleep(0.01)
        assert "no such event" in feed.problem
        reader.close(layout)

    asyncio.run(look())


def test_leaving_while_a_run_is_opened_is_no_failure(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=30)

    async def script(_pilot: Pilot[str], app: QvlApp) -> None:
        screen = app.screen
        assert isinstance(screen, RunScreen)
        app.exit()
        screen._charts._versions = ()
        screen._show_all()

    play(tmp_path, script, OpenRun(layout), width=200)


def test_a_run_folder_named_with_escape_codes_is_shown_as_text(tmp_path: Path):
    recorded = record_run(tmp_path, "shapes", steps=30)
    recorded.root.rename(tmp_path / "[red]\x1b[31m\u202e\x07")

    async def script(pilot: Pilot[str], app: QvlApp) -> None:
        for keys in ("", "R", "ctrl+p"):
            await pilot.press(*([keys] if keys else []))
            await app.settled()
            await pilot.pause(0.3)
            if keys == "ctrl+p":
                await pilot.press(*"open")
                await pilot.pause(0.5)
            assert "[red]" in picture(app)
            assert not {"\x1b", "\u202e", "\x07"} & set(picture(app))
            await pilot.press("escape")

    play(tmp_path, script)
