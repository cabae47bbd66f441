"""What an augmentation does and does not do to a picture and its shapes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.augment.patches import changed, drawn, options, surely
from trainer.config.augmentation import OPERATIONS, AugmentationConfig
from trainer.data.augment.augment import Augmented, augment
from trainer.data.augment.draws import Draws, Key
from trainer.data.augment.overlay import overlay
from trainer.data.augment.own import check_own_operations
from trainer.data.errors import DataError
from trainer.data.objects import KINDS, Shape

EVERYTHING = options(*({"name": name} for name in OPERATIONS))
SHAPES = (
    Shape("box", (10, 10, 40, 30)),
    Shape("quad", (60, 20, 90, 25, 85, 60, 55, 55)),
    Shape("line", (5, 70, 50, 60, 110, 75)),
)


def noisy_picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def fingerprint(made: Augmented) -> tuple[object, ...]:
    fields = {name: value for name, value in vars(made).items() if name != "image"}
    return (made.image.size, made.image.tobytes(), *fields.values())


def test_the_same_key_gives_the_same_picture_and_another_key_another():
    picture = noisy_picture(120, 80)
    keys = [Key(5, 1, 2), Key(6, 1, 2), Key(5, 2, 2), Key(5, 1, 3), Key(5, 1, 2, 1)]
    made = [fingerprint(augment(picture, SHAPES, EVERYTHING, key)) for key in keys]
    again = [fingerprint(augment(picture, SHAPES, EVERYTHING, key)) for key in reversed(keys)]
    assert made == again[::-1]
    assert len({it[1] for it in made}) == len(keys)


SCRIPT = """
import hashlib, sys
from tests.trainer.data.augment.test_augment import *
made = augment(noisy_picture(120, 80), SHAPES, EVERYTHING, Key(5, 1, 2))
print(hashlib.sha256(repr(fingerprint(made)).encode()).hexdigest())
"""


def test_another_process_with_another_hash_seed_makes_the_same_of_it():
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_random_numbers_are_the_same_in_every_version_of_numpy():
    draws = Draws(Key(1, 2, 3), 4)
    assert [draws.share(), draws.share()] == [0.6909393239492265, 0.3797396092938179]
    assert draws.octets(5).tolist() == [141, 14, 129, 249, 239]
    assert draws.whole(3, 9) == 9


@pytest.mark.parametrize(
    "settings",
    [
        AugmentationConfig(),
        options(
            {"name": "rotate", "params": {"prob": 0}}, {"name": "noise", "params": {"prob": 0}}
        ),
        options(surely("rotate"), surely("blur"), bypass_prob=1),
    ],
)
def test_where_nothing_applies_the_very_picture_and_shapes_come_back(settings: AugmentationConfig):
    picture = noisy_picture(50, 40)
    strange = [Shape("box", (30, 9, 4, -1e9)), *SHAPES]
    made = augment(picture, strange, settings, Key(0, 0, 0))
    assert made.image is picture
    assert made.shapes == tuple(strange)
    assert (made.kept, made.coverage) == ((0, 1, 2, 3), (1.0,) * 4)
    assert (made.dropped, made.applied, made.left_out) == (0, (), ())


def test_operations_that_change_nothing_leave_every_pixel_and_shape():
    still = options(
        surely("rotate", degrees=0), surely("resize", factor=1), surely("crop", area=1, aspect=1)
    )
    picture = noisy_picture(120, 80)
    made = augment(picture, SHAPES, still, Key(0, 0, 0))
    assert made.image.tobytes() == picture.tobytes()
    assert made.shapes == SHAPES


def test_colours_come_after_geometry_whatever_the_order_in_the_list():
    first = options(surely("brightness", factor=0), surely("expand", factor=2))
    made = augment(noisy_picture(40, 40), [], first, Key(0, 0, 0))
    assert made.image.getextrema() == ((0, 0),) * 3  # the fill is black too
    assert [it.split()[0] for it in made.applied] == ["expand", "brightness"]


def test_an_operation_draws_the_same_numbers_whatever_comes_after_it():
    alone = augment(noisy_picture(90, 60), [], options(surely("rotate")), Key(3, 0, 9))
    more = options(surely("rotate"), surely("crop"))
    assert augment(noisy_picture(90, 60), [], more, Key(3, 0, 9)).applied[0] == alone.applied[0]


def test_probabilities_are_kept_over_many_records():
    settings = options({"name": "flip", "params": {"prob": 0.3}}, bypass_prob=0.5)
    made = [augment(noisy_picture(2, 2), [], settings, Key(0, 0, it)) for it in range(4000)]
    share = sum(bool(it.applied) for it in made) / len(made)
    assert share == pytest.approx(0.15, abs=0.02)


# --- what is dropped ----------------------------------------------------------------------------

QUARTER = surely("crop", area=0.25, aspect=1, min_objects=0)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_a_crop_drops_exactly_the_objects_of_which_less_than_its_coverage_is_left(
    record: int, least: float
):
    boxes = [
        Shape("box", (x, y, x + 20, y + 20)) for x in range(0, 120, 24) for y in range(0, 60, 24)
    ]
    crop = {**QUARTER, "params": {**QUARTER["params"], "min_coverage": least}}  # type: ignore[dict-item]
    made = augment(noisy_picture(120, 80), boxes, options(crop), Key(0, 0, record))
    (told,) = made.applied
    x0, y0 = (int(it.strip(",")) for it in told.split()[-2:])
    expected = {}
    for number, box in enumerate(boxes):
        x1, y1, x2, y2 = box.points
        width = max(0, min(x2, x0 + 60) - max(x1, x0))
        height = max(0, min(y2, y0 + 40) - max(y1, y0))
        if width * height and width * height / 400 >= least:
            expected[number] = width * height / 400
    assert made.kept == tuple(expected)
    assert made.coverage == pytest.approx(tuple(expected.values()))
    assert made.dropped == len(boxes) - len(expected)
    assert len(made.shapes) == len(made.kept)


def test_a_crop_that_would_leave_too_few_objects_is_left_out():
    corner = Shape("box", (0, 0, 4, 4))
    crop = surely("crop", area=0.1, aspect=1, min_coverage=0.9)
    made = [changed((120, 80), corner, options(crop), record) for record in range(30)]
    assert all(it.dropped == 0 for it in made)
    assert any(it.left_out == ("crop: 0 of 1 objects would be left",) for it in made)
    assert any(it.applied == () and it.image.size == (120, 80) for it in made)


def test_a_crop_leaves_all_objects_where_all_are_asked_for():
    boxes = [Shape("box", (x, 20, x + 10, 30)) for x in (5, 55, 105)]
    for record in range(20):
        made = augment(
            noisy_picture(120, 80), boxes, options(QUARTER), Key(0, 0, record), keep_all=True
        )
        assert made.kept == (0, 1, 2)


@given(st.integers(0, 10**6))
def test_no_other_operation_drops_an_object(record: int):
    wild = options(
        surely("rotate", degrees=[-180, 180], grow=False),
        surely("scale", factor=[1, 3]),
        surely("shear", x_degrees=[-50, 50], grow=False),
        surely("expand"),
    )
    corners = [Shape("box", (x, y, x + 8, y + 8)) for x in (0, 112) for y in (0, 72)]
    made = augment(noisy_picture(120, 80), corners, wild, Key(0, 0, record))
    assert made.kept == (0, 1, 2, 3)
    assert min(made.coverage) > 0
    assert len(made.applied) + len(made.left_out) == 4


def test_an_operation_that_would_push_an_object_out_is_left_out_and_said():
    made = changed((120, 80), Shape("box", (0, 0, 5, 5)), options(surely("scale", factor=2)))
    assert made.left_out == ("scale: an object would leave the picture",)
    assert made.image.size == (120, 80)


# --- limits -------------------------------------------------------------------------------------


def test_a_canvas_grows_to_the_limit_and_shapes_shrink_with_it():
    settings = options(surely("expand", factor=10), surely("resize", factor=10), max_pixels=40_000)
    made = changed((120, 80), SHAPES[0], settings)
    width, height = made.image.size
    assert width * height <= 40_000
    assert width / height == pytest.approx(1.5, rel=0.02)
    x1, _, x2, _ = made.shapes[0].points
    assert (x2 - x1) / width == pytest.approx(30 / 1200, rel=0.05)


def test_a_picture_that_is_over_the_limit_already_is_not_shrunk_by_what_does_not_grow_it():
    made = changed((120, 80), SHAPES[0], options(surely("flip"), max_pixels=1024))
    assert made.image.size == (120, 80)


def test_a_canvas_never_becomes_thinner_than_the_models_read():
    for record in range(40):
        crop = options(surely("crop", area=[0.01, 0.1], aspect=[0.1, 10]))
        made = augment(noisy_picture(900, 5), [], crop, Key(0, 0, record))
        assert max(made.image.size) <= 200 * min(made.image.size)


SIZES = st.sampled_from([(1, 1), (1, 200), (200, 1), (2, 3), (1, 1000), (301, 2), (64, 48)])
COORDINATES = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-5, 200)


@st.composite
def any_shape(draw: st.DrawFn) -> Shape:
    kind = draw(st.sampled_from(KINDS))
    count = {"box": 4, "quad": 8, "line": 2 * draw(st.integers(2, 5))}[kind]
    points = draw(st.lists(COORDINATES, min_size=count, max_size=count))
    if draw(st.booleans()):
        points = points[:2] * (count // 2)  # all in one place
    return Shape(kind, tuple(points))


@settings(max_examples=300)
@given(
    SIZES,
    st.lists(any_shape(), max_size=4),
    st.lists(st.sampled_from(sorted(OPERATIONS)).map(surely), min_size=1, max_size=5),
    st.integers(0, 2**62),
)
def test_nothing_breaks_on_tiny_pictures_extreme_aspects_and_wild_coordinates(
    size: tuple[int, int], shapes: list[Shape], chain: list[dict[str, object]], seed: int
):
    made = augment(noisy_picture(*size), shapes, options(*chain), Key(seed, 0, 0))
    width, height = made.image.size
    assert made.image.mode == "RGB"
    assert len(made.shapes) == len(made.kept) == len(made.coverage)
    assert len(made.kept) + made.dropped == len(shapes)
    moved = any(
        it.split()[0] in ("flip", "rotate", "scale", "shear", "crop", "resize", "expand", "pad")
        for it in made.applied
    )
    for shape, number in zip(made.shapes, made.kept, strict=True):
        assert shape.kind == shapes[number].kind
        if moved:
            assert all(0 <= x <= width for x in shape.points[::2])
            assert all(0 <= y <= height for y in shape.points[1::2])
        if moved and shape.kind == "box":
            x1, y1, x2, y2 = shape.points
            assert x2 - x1 > 1 - 1e-6
            assert y2 - y1 > 1 - 1e-6
    assert overlay(made.image, made.shapes if moved else ()).size == made.image.size


def test_a_quad_keeps_its_first_corner_and_its_direction():
    quad = Shape("quad", (20, 20, 60, 20, 60, 50, 20, 50))
    turned = Shape("quad", (60, 20, 60, 50, 20, 50, 20, 20))
    flipped = changed((120, 80), quad, options(surely("flip"))).shapes[0]
    assert flipped.points == (100, 20, 60, 20, 60, 50, 100, 50)
    crop = surely("crop", area=0.5, aspect=1, min_coverage=0.2)
    for record in range(20):
        made = changed((120, 80), quad, options(crop), record)
        x1, y1, x2, y2, x3, y3, x4, y4 = made.shapes[0].points
        assert x1 == x4 < x2 == x3
        assert y1 == y2 < y3 == y4
        made = changed((120, 80), quad, options(surely("flip"), crop), record)
        x1, y1, x2, y2, x3, y3, x4, y4 = made.shapes[0].points
        assert x1 == x4 > x2 == x3
        assert y1 == y2 < y3 == y4
        made = changed((120, 80), turned, options(crop), record)
        x1, y1, x2, y2, x3, y3, x4, y4 = made.shapes[0].points
        assert x1 == x2 > x3 == x4
        assert y2 == y3 > y4 == y1


# --- one's own ----------------------------------------------------------------------------------

OWN = """
from PIL import Image, ImageOps
from trainer.data.objects import Shape

def border(image, shapes, draws, width):
    image = ImageOps.expand(image, width, "red")
    moved = [Shape(it.kind, tuple(x + width for x in it.points)) for it in shapes]
    return image, [None, *moved[1:]]

def random_level(image, shapes, draws):
    return Image.new("RGB", image.size, (draws.whole(0, 255),) * 3), list(shapes)

def forgets(image, shapes, draws):
    return image

def loses(image, shapes, draws):
    return image, []

def grey(image, shapes, draws):
    return image.convert("L"), shapes

def numbers(image, shapes, draws):
    return image, [1 for _ in shapes]
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_function_of_ones_own_is_done_in_its_place_among_the_geometry(own_module: str):
    settings = options(
        surely("flip"), surely(f"{own_module}:border", width=7), surely("resize", factor=2)
    )
    check_own_operations(settings)
    made = augment(drawn((100, 80), SHAPES[0]), [*SHAPES[:1], SHAPES[0]], settings, Key(0, 0, 0))
    assert made.image.size == (228, 188)
    assert made.image.getpixel((0, 0)) == (255, 0, 0)
    assert made.shapes == (Shape("box", (134, 34, 194, 74)),)
    assert (made.kept, made.dropped) == ((1,), 1)


def test_a_function_of_ones_own_draws_keyed_numbers(own_module: str):
    settings = options(surely(f"{own_module}:random_level"))
    made = [augment(noisy_picture(2, 2), [], settings, Key(0, 0, it)).image for it in (1, 2, 1)]
    assert made[0].tobytes() == made[2].tobytes() != made[1].tobytes()


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("forgets", "returned Image; return the picture and the list"),
        ("loses", "did not return 1 shapes"),
        ("grey", "returned no picture in RGB"),
        ("numbers", "no Shape"),
    ],
)
def test_what_a_function_gives_back_wrongly_is_said(own_module: str, function: str, problem: str):
    with pytest.raises(DataError, match=f"{own_module}:{function} .*{problem}"):
        changed((50, 50), SHAPES[0], options(surely(f"{own_module}:{function}")))


def test_a_function_that_is_not_there_is_said_before_anything_starts(own_module: str):
    with pytest.raises(DataError, match=r"no_such_module:f cannot be imported .*PYTHONPATH"):
        check_own_operations(options(surely("no_such_module:f")))
    with pytest.raises(DataError, match=rf"{own_module}\.py has no function rain"):
        check_own_operations(options(surely(f"{own_module}:rain")))


def test_an_overlay_leaves_the_picture_alone_and_draws_where_the_shapes_are():
    picture = Image.new("RGB", (120, 80), "black")
    drawn_over = np.asarray(overlay(picture, SHAPES)).max(axis=-1) > 0
    assert not np.asarray(picture).any()
    assert drawn_over[10, 15:40].all()  # the upper edge of the box
    assert drawn_over[70:76, 5].any()
    assert not drawn_over[40:50, 5:50].any()
