"""The Data screen over a real process that reads records, driven by keys."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.image import SVGImageSnapshotExtension
from textual.pilot import Pilot
from textual.widgets import Input, Static

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.messages import OpenData
from qvl_tui.screens.data import DataScreen
from qvl_tui.screens.run import RunScreen
from qvl_tui.widgets.pictures import Picture
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.training import write_configuration
from trainer.config.load import dump_config, load_config

ESCAPE = "\x1b[31m [bold]marked up[/bold]"
Script = Callable[[DataScreen, Pilot[str]], Awaitable[None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four dense records and, in a file of their own, conversations of which two are skipped."""
    folder = tmp_path_factory.mktemp("records")
    lines = []
    for number in range(4):
        image = Image.new("RGB", (160, 120), "#445566")
        box = [20, 20, 80 + 10 * number, 90]
        ImageDraw.Draw(image).rectangle(box, fill="#ddcc33")
        image.save(folder / f"{number}.png")
        marked = [{"bbox_2d": box, "desc": f"box {number}"}]
        lines.append(json.dumps({"images": [f"{number}.png"], "objects": marked}))
    (folder / "dense.jsonl").write_text("\n".join(lines))
    chats = [
        {"prompt": f"question {number}", "response": f"answer {number}"} for number in range(40)
    ]
    chats[20]["prompt"] = "word " * 3000
    chats[30]["response"] = ESCAPE
    texts = [json.dumps(chat) for chat in chats]
    texts[10] = "{broken"
    (folder / "chats.jsonl").write_text("\n".join(texts))
    return folder


def drive(
    arguments: tuple[str, ...], script: Script, runs: Path, size: tuple[int, int] = (120, 40)
) -> None:
    async def play() -> None:
        app = QvlApp(Desk(runs))
        async with app.run_test(size=size) as pilot:
            app.post_message(OpenData(arguments, "some data"))
            async with asyncio.timeout(60):
                while not isinstance(app.screen, DataScreen):
                    await pilot.pause(0.05)
            screen = app.screen
            await settle(screen, pilot)
            await script(screen, pilot)

    asyncio.run(play())


async def settle(screen: DataScreen, pilot: Pilot[str]) -> None:
    async with asyncio.timeout(60):
        while not screen.settled:
            await pilot.pause(0.05)
    await screen.workers.wait_for_complete()
    await pilot.pause(0.1)


async def press(screen: DataScreen, pilot: Pilot[str], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause(0.1)
    await settle(screen, pilot)


def words(screen: DataScreen, part: str) -> str:
    return str(screen.query_one(f"#{part}", Static).render())


def lines(screen: DataScreen) -> str:
    return "\n".join(strip.text.rstrip() for strip in screen._compositor.render_strips())


def test_records_are_gone_through_by_keys(folder: Path, tiny_checkpoint: Path, tmp_path: Path):
    arguments = (str(folder / "chats.jsonl"), "--model", str(tiny_checkpoint))

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        assert "train 40 records" in words(screen, "data-title")
        assert "question 0" in words(screen, "conversation-text")
        await press(screen, pilot, "down", "down")
        assert "question 2" in words(screen, "conversation-text")
        await press(screen, pilot, "p")
        assert screen.list.record == 11
        assert "✗ skipped: broken JSON" in words(screen, "conversation-counts")
        await press(screen, pilot, "p")
        assert screen.list.record == 21
        assert "too many" in words(screen, "conversation-counts")
        await press(screen, pilot, "P")
        assert screen.list.record == 11
        await press(screen, pilot, "end")
        assert screen.list.record == 40
        await press(screen, pilot, "p")
        assert "a problem is not below" in words(screen, "data-title")
        await pilot.press("g")
        await pilot.pause(0.1)
        screen.app.screen.query_one(Input).value = "31"
        await press(screen, pilot, "enter")
        assert screen.list.record == 31
        shown = words(screen, "conversation-text")
        assert "␛[31m [bold]marked up[/bold]" in shown
        await pilot.press("slash")
        await pilot.pause(0.1)
        screen.app.screen.query_one(Input).value = "ANSWER 35"
        await press(screen, pilot, "enter")
        assert screen.list.record == 36

    drive(arguments, script, tmp_path)


def test_every_token_can_be_set_apart(folder: Path, tiny_checkpoint: Path, tmp_path: Path):
    arguments = (str(folder / "chats.jsonl"), "--model", str(tiny_checkpoint))

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        assert "│" not in words(screen, "conversation-text")
        await press(screen, pilot, "t")
        seen = screen.conversation.seen
        assert seen is not None
        apart = words(screen, "conversation-text")
        tokens = sum(len(run.pieces) for run in seen.runs)
        assert apart.count("│") == tokens - len(seen.runs)

    drive(arguments, script, tmp_path)


def test_pictures_are_shown_with_their_objects_stored_and_seen(
    folder: Path, tiny_checkpoint: Path, tmp_path: Path
):
    arguments = (
        *(str(folder / "dense.jsonl"), "data.dense.images_per_user_turn=2"),
        *("--model", str(tiny_checkpoint)),
    )

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        image = screen.query_one(Picture).image
        assert image is not None
        colours = {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)}
        assert (0xE6, 0x19, 0x4B) in colours
        assert "box" in words(screen, "picture-objects")
        seen = screen.picture.shown
        await press(screen, pilot, "a")
        assert screen.picture.shown is not seen
        await press(screen, pilot, "a", "b")
        image = screen.query_one(Picture).image
        assert image is not None
        colours = {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)}
        assert (0xE6, 0x19, 0x4B) not in colours
        first = screen.picture.image
        await press(screen, pilot, "right_square_bracket")
        assert screen.picture.image is not first
        groups = set()
        for _ in range(5):
            assert screen.picture.seen is not None
            assert screen.picture.seen.group is not None
            groups.add(screen.picture.seen.group.records)
            await press(screen, pilot, "e")
        assert len(groups) > 1
        assert "epoch 5" in words(screen, "data-title")

    drive(arguments, script, tmp_path)


def test_a_narrow_window_shows_one_pane_and_its_neighbours_as_tabs(
    folder: Path, tiny_checkpoint: Path, tmp_path: Path
):
    arguments = (str(folder / "chats.jsonl"), "--model", str(tiny_checkpoint))

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        assert [pane.display for pane in screen._panes] == [True, False, False]
        await press(screen, pilot, "3")
        assert [pane.display for pane in screen._panes] == [False, False, True]
        await press(screen, pilot, "j", "j")
        assert "question 2" in lines(screen)
        await press(screen, pilot, "tab")
        assert screen.list.display

    drive(arguments, script, tmp_path, (80, 24))


def test_data_that_cannot_be_opened_is_told_in_its_own_words(tmp_path: Path):
    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        assert "no such data file, configuration or run" in words(screen, "conversation-text")
        await press(screen, pilot, "down", "p", "e", "g")

    drive(("gone.jsonl",), script, tmp_path)


def test_the_process_ends_with_the_screen(folder: Path, tiny_checkpoint: Path, tmp_path: Path):
    arguments = (str(folder / "chats.jsonl"), "--model", str(tiny_checkpoint))
    codes = []

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        process = screen._inquiry._process
        assert process is not None
        await pilot.press("escape")
        await asyncio.wait_for(process.wait(), 10)
        codes.append(process.returncode)

    drive(arguments, script, tmp_path)
    assert codes == [-9]


def test_a_run_opens_its_own_records(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    layout = record_run(tmp_path, "a-run", end="finished")
    config = write_configuration(layout.root / "short.yaml", tiny_checkpoint, shapes, 4)
    layout.config.write_text(dump_config(load_config(config)))

    async def play() -> None:
        app = QvlApp(Desk(tmp_path), first=layout)
        async with app.run_test(size=(120, 40)) as pilot:
            await app.settled()
            await pilot.press("f9")
            await pilot.pause(0.1)
            screen = app.screen
            assert isinstance(screen, DataScreen)
            await settle(screen, pilot)
            assert "a-run · train 48 records" in words(screen, "data-title")
            await pilot.press("escape")
            await pilot.pause(0.1)
            assert isinstance(app.screen, RunScreen)

    asyncio.run(play())


SIZES = ((80, 24), (120, 40), (200, 60))
SCENES: dict[str, tuple[str, ...]] = {
    "dense": (),
    "picture": ("2", "f"),
    "conversation": ("3", "t", "f"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES)
def test_the_data_screen_looks_as_it_did(
    scene: str,
    size: tuple[int, int],
    folder: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    snapshot: SnapshotAssertion,
):
    arguments = (str(folder / "dense.jsonl"), "--model", str(tiny_checkpoint))
    pictures = []

    async def script(screen: DataScreen, pilot: Pilot[str]) -> None:
        await press(screen, pilot, *SCENES[scene])
        pictures.append(screen.app.export_screenshot(title=f"qvl: data {scene}"))

    drive(arguments, script, tmp_path, size)
    picture = re.sub(r"terminal-\d+", "terminal", pictures[0])
    assert picture == snapshot(extension_class=SVGImageSnapshotExtension)
