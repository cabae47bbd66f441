"""The shapes data set: valid records, no picture twice, the same for the same seed."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from trainer.demo.report import read_answer
from trainer.demo.shapes import COLORS, CORNERS, SIDE_PIXELS, Figure, draw, write_shapes

Record = dict[str, Any]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_shapes(tmp_path_factory.mktemp("shapes"), train=400, validation=100, seed=3)


def read(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pictures(record: Record) -> list[str]:
    parts = [
        part
        for turn in record["messages"]
        if isinstance(turn["content"], list)
        for part in turn["content"]
    ]
    return [part["image"] for part in parts if part["type"] == "image"]


def decode(uri: str) -> Image.Image:
    payload = base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    return Image.open(io.BytesIO(payload), formats=("PNG",))


def test_both_files_hold_the_records_asked_for(files: tuple[Path, Path]):
    train, validation = files
    assert (train.name, validation.name) == ("train.jsonl", "validation.jsonl")
    assert (len(read(train)), len(read(validation))) == (400, 100)


def test_every_record_ends_with_the_user_and_has_a_response_in_json(files: tuple[Path, Path]):
    for record in read(files[0]):
        roles = [turn["role"] for turn in record["messages"]]
        assert roles == ["user", "assistant", "user"][-len(roles) :]
        answer = read_answer(record["response"])
        assert answer is not None
        if pictures(record):
            assert answer["color"] in COLORS
            assert answer["shape"] in CORNERS
            assert all(0 <= unit <= 1000 and unit % 100 == 0 for unit in answer["bbox_2d"])


def test_records_of_every_kind_occur_in_their_shares(files: tuple[Path, Path]):
    records = read(files[0])
    counts = [sum(len(pictures(record)) == number for record in records) for number in range(3)]
    thinking = sum("thinking" in record for record in records)
    assert 1 <= counts[0] <= 20
    assert counts[1] > 300
    assert 30 <= counts[2] <= 90
    assert 60 <= thinking <= 140


def test_pictures_decode_to_rgb_squares_of_the_stated_size(files: tuple[Path, Path]):
    for record in read(files[1]):
        for uri in pictures(record):
            image = decode(uri)
            assert (image.mode, image.size) == ("RGB", (SIDE_PIXELS, SIDE_PIXELS))


def test_no_picture_occurs_twice_within_or_across_the_files(files: tuple[Path, Path]):
    seen = [
        decode(uri).tobytes() for path in files for record in read(path) for uri in pictures(record)
    ]
    assert len(seen) > 450
    assert len(set(seen)) == len(seen)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path):
    first = write_shapes(tmp_path / "a", train=20, validation=5, seed=1)
    again = write_shapes(tmp_path / "b", train=20, validation=5, seed=1)
    other = write_shapes(tmp_path / "c", train=20, validation=5, seed=2)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert first[0].read_bytes() != other[0].read_bytes()


@pytest.mark.parametrize("shape", list(CORNERS))
def test_the_box_bounds_the_drawn_figure(shape: str):
    figure = Figure(color="red", shape=shape, left=1, top=2, size=6, ground=(128, 128, 128))
    ground = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), figure.ground)
    edges = ImageChops.difference(draw(figure), ground).getbbox()
    assert edges is not None
    expected = [unit * SIDE_PIXELS / 1000 for unit in figure.box]
    assert all(abs(edge - truth) <= 1.5 for edge, truth in zip(edges, expected, strict=True))


def test_thinking_leads_to_the_answer():
    figure = Figure(color="blue", shape="triangle", left=0, top=0, size=5, ground=(128, 128, 128))
    assert figure.thinking == "The figure is blue and has 3 corners, so it is a triangle."
    assert read_answer(figure.answer) == {
        "color": "blue",
        "shape": "triangle",
        "bbox_2d": [0, 0, 500, 500],
    }
