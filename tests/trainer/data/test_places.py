"""Places in a picture as the numbers that a model speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config.schema import DataConfig
from trainer.data.objects import Shape
from trainer.data.pictures import PictureRule
from trainer.data.places import MOVED_INSIDE, PUT_IN_ORDER, Canvas, PlaceError, Speech

CANVAS = Canvas(640, 480, 560, 420)


def speech(model_type: str = "qwen3_vl", **options: str) -> Speech:
    return Speech.of(model_type, DataConfig(train=("a",), **options))  # type: ignore[arg-type]


def numbers(kind: str, *points: float, spoken: Speech | None = None) -> list[int]:
    shape = Shape(kind, points)  # type: ignore[arg-type]
    return (spoken or speech()).numbers(shape, CANVAS, set())


@pytest.mark.parametrize(
    ("model_type", "spoken"),
    [
        ("qwen2_vl", Speech("norm1000", "tokens")),
        ("qwen2_5_vl", Speech("pixel", "plain")),
        ("qwen3_vl", Speech("norm1000", "plain")),
        ("qwen3_vl_moe", Speech("norm1000", "plain")),
    ],
)
def test_every_family_speaks_its_own_way(model_type: str, spoken: Speech):
    assert speech(model_type) == spoken


def test_what_is_named_goes_before_what_the_model_speaks():
    assert speech("qwen2_5_vl", coordinates="norm100", box_markup="tokens") == Speech(
        "norm100", "tokens"
    )
    assert speech("qwen3_vl", coordinates="none").scale == "pixel"


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("norm1000", [250, 500, 1000, 1000]),
        ("norm100", [25, 50, 100, 100]),
        ("pixel", [140, 210, 560, 420]),
    ],
)
def test_a_box_is_spoken_on_each_scale(scale: str, expected: list[int]):
    assert numbers("box", 160, 240, 640, 480, spoken=speech(coordinates=scale)) == expected


def test_pixels_are_those_of_the_picture_as_the_image_processor_resizes_it():
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    rule = PictureRule(patch=14, merge=2, min_pixels=3136, max_pixels=200_000)
    for width, height in np.random.default_rng(0).integers(20, 2000, (50, 2)).tolist():
        canvas = Canvas.of(width, height, rule)
        tall, wide = smart_resize(height, width, 28, 3136, 200_000)
        assert (canvas.seen_height, canvas.seen_width) == (tall, wide)
        corner = Shape("box", (0.0, 0.0, float(width), float(height)))
        assert speech("qwen2_5_vl").numbers(corner, canvas, set()) == [0, 0, wide, tall]


@pytest.mark.parametrize("reach", [-20.0, 660.0])
def test_a_place_outside_its_picture_is_refused(reach: float):
    with pytest.raises(PlaceError, match=f"coordinate {reach:g} lies outside, the edge has 640"):
        numbers("line", 0, 0, reach, 10)


def test_what_was_mended_is_said():
    notes: set[str] = set()
    found = speech().numbers(Shape("box", (640.5, 480, -1, 0)), CANVAS, notes)
    assert found == [0, 0, 1000, 1000]
    assert notes == {MOVED_INSIDE, PUT_IN_ORDER}


@given(
    st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), min_size=2, max_size=6),
    st.sampled_from(["pixel", "norm100", "norm1000"]),
)
def test_numbers_lead_back_to_their_places(points: list[tuple[float, float]], scale: str):
    flat = tuple(value for point in points for value in point)
    found = numbers("line", *flat, spoken=speech(coordinates=scale))
    across, down = {"pixel": (560, 420), "norm100": (100, 100), "norm1000": (1000, 1000)}[scale]
    back = np.array(found).reshape(-1, 2) / (across, down) * (640, 480)
    assert np.abs(back - np.array(points)).max() <= 0.5 * 640 / across + 1e-9


@pytest.mark.parametrize(
    ("kind", "markup", "text"),
    [
        ("box", "tokens", "<|box_start|>(1,2),(3,4)<|box_end|>"),
        ("box", "plain", "[1, 2, 3, 4]"),
        ("line", "tokens", "(1,2),(3,4)"),
        ("quad", "tokens", "<|quad_start|>(1,2),(3,4),(1,2),(3,4)<|quad_end|>"),
    ],
)
def test_places_in_a_text_are_marked_up(kind: str, markup: str, text: str):
    spoken = speech(box_markup=markup)
    values = [1, 2, 3, 4] * (2 if kind == "quad" else 1)
    shape = Shape(kind, tuple(map(float, values)))  # type: ignore[arg-type]
    assert spoken.place(shape, values, point=False) == text


def test_a_point_is_one_pair_of_numbers():
    point = Shape("line", (5.0, 6.0, 5.0, 6.0))
    assert speech().place(point, [5, 6, 5, 6], point=True) == "[5, 6]"
    tokens = speech(box_markup="tokens")
    assert tokens.place(point, [5, 6, 5, 6], point=True) == "<|box_start|>(5,6)<|box_end|>"
    assert tokens.name("a dog") == "<|object_ref_start|>a dog<|object_ref_end|>"
