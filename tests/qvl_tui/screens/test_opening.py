import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from textual.app import App

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.once import text_of
from qvl_tui.screens.opening import OpeningScreen
from tests.qvl_tui.recorded import record_run
from trainer.run.layout import RunLayout


def opened(layout: RunLayout) -> tuple[str, int]:
    """Return what the screen shows when it calls for the next one, and how many readers stay."""
    pictures: list[str] = []
    desk = Desk(layout.root.parent)

    async def play() -> None:
        app = App[None]()
        async with app.run_test(size=(120, 40)) as pilot:

            def then() -> None:
                pictures.append(text_of(app, colour=False))  # pyright: ignore[reportArgumentType]

            app.push_screen(OpeningScreen(desk, layout, then))
            async with asyncio.timeout(10):
                while not pictures:
                    await pilot.pause(0.01)

    asyncio.run(play())
    (picture,) = pictures
    return picture, len(desk.reader._open)


def test_a_runs_name_and_newest_numbers_are_shown_before_its_screen_is_loaded(tmp_path: Path):
    picture, still_read = opened(record_run(tmp_path, "shapes", steps=400, end="finished"))
    assert "finished" in picture
    assert "shapes" in picture
    assert "s/step" in picture
    assert still_read == 0


def test_a_disk_that_answers_before_the_first_layout_is_drawn_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def at_once(_feed: Feed, _seconds: float) -> None: ...

    monkeypatch.setattr(Feed, "turn_within", at_once)
    picture, _ = opened(record_run(tmp_path, "shapes", steps=5))
    assert "shapes" in picture


def test_a_run_whose_files_cannot_be_read_leads_on_all_the_same(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=5)
    layout.events.unlink()
    layout.events.mkdir()
    picture, _ = opened(layout)
    assert "events.jsonl is no regular file" in picture


def test_what_is_needed_for_the_first_look_loads_nothing_that_only_charts_need():
    program = (
        "import sys, qvl_tui.begin, qvl_tui.screens.opening; "
        "print(*{'numpy', 'pydantic', 'qvl_tui.screens.run', 'qvl_tui.screens.runs'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
