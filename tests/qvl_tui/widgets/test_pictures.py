"""Pictures in a terminal: their shape, their colours, and what they are made from."""

import asyncio
import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.style import Style
from textual.app import App, ComposeResult

from qvl_tui.widgets.half_blocks import fitted, half_blocks, shades
from qvl_tui.widgets.pictures import Picture, pictures_are_shown, prepare_pictures
from qvl_tui.widgets.record_images import NO_PICTURE, record_picture
from trainer.data.index import index_file

RED, BLUE = (200, 0, 0), (0, 0, 200)


def two_colours(width: int = 40, height: int = 20) -> Image.Image:
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    return image


def test_half_blocks_have_the_colours_of_the_picture_above_and_below():
    strips = half_blocks(two_colours(4, 2), 4, 5, Style())
    assert len(strips) == 1
    assert strips[0].text == "▀▀▀▀"
    (segment,) = strips[0]
    assert segment.style is not None
    assert segment.style.color is not None
    assert segment.style.bgcolor is not None
    assert segment.style.color.triplet == RED
    assert segment.style.bgcolor.triplet == BLUE


def test_without_colours_a_picture_is_drawn_in_shades():
    image = Image.new("L", (10, 10), 255)
    image.paste(0, (0, 5, 10, 10))
    assert [it.text for it in shades(image, 10, 2, Style(), dark=True)] == ["████", "    "]
    assert [it.text for it in shades(image, 10, 2, Style(), dark=False)] == ["    ", "████"]


@settings(max_examples=200)
@given(
    pixels=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    width=st.integers(1, 200),
    height=st.integers(1, 100),
)
def test_a_picture_never_leaves_its_room(pixels: tuple[int, int], width: int, height: int):
    across, down = fitted(pixels, width, height)
    assert 1 <= across <= width
    assert 1 <= down <= height
    scale = min(width / pixels[0], 2 * height / pixels[1])
    wanted = max(1, pixels[0] * scale), max(1, pixels[1] * scale / 2)
    assert (across, down) == pytest.approx(wanted, abs=0.51)


class OnePicture(App[None]):
    def compose(self) -> ComposeResult:
        yield Picture()


@pytest.mark.parametrize("no_color", [False, True])
def test_the_widget_draws_as_many_cells_as_it_has(no_color: bool, monkeypatch: pytest.MonkeyPatch):
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)

    async def run() -> None:
        app = OnePicture()
        async with app.run_test(size=(30, 10)) as pilot:
            picture = app.query_one(Picture)
            picture.styles.width, picture.styles.height = 20, 6
            picture.show_image(two_colours())
            await pilot.pause()
            strips = [picture.render_line(y) for y in range(6)]
            assert [strip.cell_length for strip in strips] == [20] * 6
            drawn = {"▀"} if not no_color else {"░", " "}
            assert set("".join(strip.text for strip in strips[:5])) == drawn

    asyncio.run(run())


def test_nothing_is_asked_of_what_is_no_terminal():
    prepare_pictures("auto")
    assert pictures_are_shown()
    assert "textual_image" not in sys.modules
    prepare_pictures("off")
    assert not pictures_are_shown()
    prepare_pictures("half blocks")
    assert pictures_are_shown()


def test_a_terminal_with_graphics_draws_the_picture_itself(monkeypatch: pytest.MonkeyPatch):
    graphics = pytest.importorskip("textual_image.widget").TGPImage
    monkeypatch.setattr("qvl_tui.widgets.pictures._terminal_graphics", lambda: graphics)
    prepare_pictures("auto")

    async def run() -> None:
        app = OnePicture()
        async with app.run_test(size=(30, 10)) as pilot:
            picture = app.query_one(Picture)
            picture.styles.width, picture.styles.height = 20, 6
            picture.show_image(two_colours())
            await pilot.pause()
            drawn: Any = picture.query_one(graphics)
            assert drawn.size == (20, 5)
            assert drawn.image is picture.image
            assert picture.render_line(0).text.isspace()
            picture.show_image(None)
            await pilot.pause()
            assert not picture.query(graphics)

    try:
        asyncio.run(run())
    finally:
        prepare_pictures("half blocks")


# --- pictures of records ------------------------------------------------------------------------


def encoded(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def record(*images: str) -> str:
    parts = [{"type": "image", "image": image} for image in images]
    content = [*parts, {"type": "text", "text": "?"}]
    return json.dumps({"messages": [{"role": "user", "content": content}], "response": "a"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("indexed", [False, True])
def test_the_picture_comes_from_the_line_of_the_record(tmp_path: Path, indexed: bool):
    two_colours(30, 30).save(tmp_path / "b.png")
    lines = [record(encoded(Image.new("RGB", (n, 8)))) for n in range(4, 9)]
    lines += ["", record("b.png", "data:image/png;base64," + encoded(two_colours(900, 90)))]
    lines += [json.dumps({"text": "no picture"}), "{broken"]
    path = tmp_path / "validation.jsonl"
    path.write_text("\n".join(lines))
    if indexed:
        index_file(path)
    for line in range(1, 6):
        found = record_picture(str(path), line, 0)
        assert found.image is not None
        assert (found.image.size, found.pictures) == ((line + 3, 8), 1)
    first, second = (record_picture(str(path), 7, number).image for number in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.size, second.size) == ((30, 30), (768, 77))
    assert record_picture(str(path), 8, 0) == NO_PICTURE
    assert "broken JSON" in record_picture(str(path), 9, 0).words
    assert "has no line 99" in record_picture(str(path), 99, 0).words


@pytest.mark.usefixtures("cache")
def test_the_picture_of_a_record_is_found_in_whatever_format_it_is_written(tmp_path: Path):
    Image.new("RGB", (7, 5)).save(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "A square."}]
    marked = [{"bbox_2d": [0, 0, 3, 3], "desc": "a square"}]
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        json.dumps({"conversations": turns, "image": "a.png"})
        + "\n"
        + json.dumps({"images": ["a.png"], "objects": marked, "width": 7, "height": 5})
    )
    for line in (1, 2):
        found = record_picture(str(path), line, 0)
        assert found.image is not None, found.words
        assert found.image.size == (7, 5)


@pytest.mark.usefixtures("cache")
def test_an_element_of_an_array_is_found_through_the_index_of_the_trainer(tmp_path: Path):
    path = tmp_path / "data.json"
    elements = [record(encoded(Image.new("RGB", (n, 8)))) for n in (5, 6)]
    path.write_text("[" + ",\n".join(elements) + "]")
    assert record_picture(str(path), 2, 0).image is None
    path = path.rename(tmp_path / "other.json")  # what was found before is remembered
    index_file(path)
    found = record_picture(str(path), 2, 0)
    assert found.image is not None
    assert found.image.size == (6, 8)


@pytest.mark.usefixtures("cache")
def test_what_is_missing_or_broken_is_said_and_nothing_more(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        "\n".join([record("no[/red]\x1b[31m.png"), record("http://x/y.png"), record("bad.png")])
    )
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    assert "is not here" in record_picture(str(tmp_path / "gone"), 1, 0).words
    assert "is not a regular file" in record_picture(str(tmp_path), 1, 0).words
    words = [record_picture(str(path), line, 0).words for line in (1, 2, 3)]
    assert "no file" in words[0]
    assert "\x1b" not in words[0]
    assert "the address" in words[1]
    assert "not decodable" in words[2]


@pytest.mark.usefixtures("cache")
def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path):
    big = io.BytesIO()
    Image.new("1", (9000, 9000)).save(big, "PNG")
    path = tmp_path / "a.jsonl"
    path.write_text(record(base64.b64encode(big.getvalue()).decode()))
    assert "pixels" in record_picture(str(path), 1, 0).words
