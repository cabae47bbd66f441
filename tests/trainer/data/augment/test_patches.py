"""A shape marks after an augmentation the very pixels that it marked before it."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.augment.patches import (
    LINE_WIDTH,
    TOLERANCE,
    centres,
    changed,
    corners_of,
    depth_in_polygon,
    distance_to_line,
    drawn,
    found,
    options,
    points_of,
    surely,
)
from trainer.data.augment.augment import Augmented, augment
from trainer.data.augment.draws import Key
from trainer.data.objects import Shape

SIZE = (150, 110)
SHAPES = {
    "box": Shape("box", (40, 30, 100, 70)),
    "quad": Shape("quad", (50, 20, 110, 35, 95, 80, 35, 65)),
    "line": Shape("line", (30, 80, 60, 30, 90, 70, 120, 40)),
}
AT_THE_EDGE = {
    "box": Shape("box", (0, 0, 60, 40)),
    "quad": Shape("quad", (90, 110, 150, 100, 150, 60, 80, 70)),
    "line": Shape("line", (0, 10, 140, 20, 100, 105, 10, 60)),
}
EVERY_OPERATION = [
    surely("flip"),
    surely("flip", direction="vertical"),
    surely("rotate", degrees=[-180, 180]),
    surely("rotate", degrees=[-40, 40], grow=False),
    surely("rotate", degrees=90),
    surely("scale", factor=[0.6, 1.6]),
    surely("shear", x_degrees=[-25, 25], y_degrees=[-25, 25]),
    surely("shear", x_degrees=[-20, 20], y_degrees=[-20, 20], grow=False),
    surely("crop", area=[0.3, 1], min_coverage=0.1),
    surely("resize", factor=[0.5, 1.8]),
    surely("resize", factor=0.4),
    surely("expand", factor=[1, 1.6]),
    surely("pad", multiple=64),
    surely("brightness", factor=[0.9, 1.1]),
    surely("contrast", factor=[0.9, 1.1]),
    surely("saturation", factor=[0.9, 1.1]),
    surely("hue", degrees=[-10, 10]),
    surely("gamma", exponent=[0.9, 1.1]),
    surely("clahe", clip_limit=1.0),
    surely("blur", radius_pixels=[0.1, 0.5]),
    surely("noise", deviation=[1, 8]),
    surely("jpeg", quality=[90, 95]),
]


def check_fit(made: Augmented) -> None:
    """Hold the one shape against the pixels that are seen of its patch."""
    (shape,), (coverage,) = made.shapes, made.coverage
    patch = found(made.image)
    width, height = made.image.size
    assert patch.shape == (height, width)
    tolerance = max(TOLERANCE, 0.01 * max(width, height))
    whole = coverage > 1 - 1e-4
    places = centres(width, height)
    assert points_of(shape).min() >= 0
    assert (points_of(shape).max(axis=0) <= (width, height)).all()
    if shape.kind == "line":
        check_line(shape, patch, tolerance, whole=whole)
    elif shape.kind == "box":
        check_box(shape, patch, tolerance, whole=whole)
    else:
        depth = depth_in_polygon(places, corners_of(shape))
        assert patch[depth > tolerance].all()
        if whole:
            assert not patch[depth < -tolerance].any()
        else:
            assert (depth > 0).sum() > 0.6 * patch.sum() - 20


def check_box(shape: Shape, patch: np.ndarray, tolerance: float, *, whole: bool) -> None:
    rows, columns = np.nonzero(patch)
    seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    box = np.array(shape.points)
    assert (box[:2] <= seen[:2] + tolerance).all()
    assert (box[2:] >= seen[2:] - tolerance).all()
    if whole:  # a cut may leave a tip too thin to be seen
        assert np.abs(seen - box).max() <= tolerance


def check_line(shape: Shape, patch: np.ndarray, tolerance: float, *, whole: bool) -> None:
    line = points_of(shape)
    share = np.linspace(0, 1, 40)[:, None]
    along = [a + share * (b - a) for a, b in pairwise(line)]
    seen = np.argwhere(patch)[:, ::-1] + 0.5
    for place in np.concatenate(along):
        assert np.hypot(*(seen - place).T).min() <= tolerance
    if whole:
        assert distance_to_line(seen, line).max() <= 2 * LINE_WIDTH + tolerance


@pytest.mark.parametrize("operation", EVERY_OPERATION, ids=lambda it: f"{it['name']}")
@pytest.mark.parametrize("shape", [*SHAPES.values(), *AT_THE_EDGE.values()], ids=lambda it: it.kind)
def test_every_operation_alone_moves_shapes_with_their_pixels(
    operation: dict[str, object], shape: Shape
):
    for record in range(6):
        made = changed(SIZE, shape, options(operation), record)
        assert made.applied or made.left_out
        check_fit(made)


GEOMETRY = st.sampled_from(
    [
        surely("flip"),
        surely("flip", direction="vertical"),
        surely("rotate", degrees=[-180, 180]),
        surely("rotate", degrees=[-30, 30], grow=False),
        surely("scale", factor=[0.7, 1.4]),
        surely("shear", x_degrees=[-15, 15], y_degrees=[-15, 15]),
        surely("crop", area=[0.5, 1], min_coverage=0.25),
        surely("resize", factor=[0.7, 1.5]),
        surely("expand", factor=[1, 1.4]),
        surely("pad", multiple=48),
    ]
)


@settings(max_examples=150)
@given(
    st.lists(GEOMETRY, min_size=2, max_size=6),
    st.sampled_from([*SHAPES.values(), *AT_THE_EDGE.values()]),
    st.integers(0, 2**40),
)
def test_chains_of_operations_move_shapes_with_their_pixels(
    chain: list[dict[str, object]], shape: Shape, record: int
):
    made = changed(SIZE, shape, options(*chain), record)
    assume(found(made.image).sum() > 150)  # what has become tiny cannot be found again
    check_fit(made)


SAME_AREA = GEOMETRY.filter(lambda it: it["name"] not in ("scale", "resize"))


@given(
    st.sampled_from(["box", "quad"]),
    st.lists(SAME_AREA, min_size=1, max_size=4),
    st.integers(0, 2**40),
)
def test_coverage_is_the_share_of_the_patch_that_is_still_seen(
    kind: str, chain: list[dict[str, object]], record: int
):
    shape = AT_THE_EDGE[kind]
    made = changed(SIZE, shape, options(*chain), record)
    full = found(drawn(SIZE, shape)).sum()
    assert made.coverage[0] * full == pytest.approx(found(made.image).sum(), rel=0.03, abs=40)


def test_steps_are_folded_into_one_resampling(monkeypatch: pytest.MonkeyPatch):
    calls: list[object] = []
    real = Image.Image.transform

    def counted(self: Image.Image, *args: object, **kwargs: object) -> Image.Image:
        calls.append(args)
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "transform", counted)
    turns = [surely("rotate", degrees=30) for _ in range(12)]
    made = changed(SIZE, SHAPES["quad"], options(*turns, surely("flip"), surely("resize")))
    assert len(made.applied) == 14
    assert len(calls) == 1


def test_twelve_twelfths_of_a_turn_leave_the_picture_sharp():
    turns = [surely("rotate", degrees=30, grow=False) for _ in range(12)]
    middle = Shape("box", (65, 45, 85, 65))
    before = changed((150, 110), middle, options())
    made = changed((150, 110), middle, options(*turns))
    box = np.asarray(made.image)[40:70, 60:90].astype(int)
    assert np.abs(box - np.asarray(before.image)[40:70, 60:90]).max() <= 2


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (surely("flip"), lambda pixels: pixels[:, ::-1]),
        (surely("flip", direction="vertical"), lambda pixels: pixels[::-1]),
        (surely("rotate", degrees=90), lambda pixels: np.rot90(pixels, -1)),
        (surely("rotate", degrees=180), lambda pixels: np.rot90(pixels, 2)),
        (surely("rotate", degrees=-90), np.rot90),
        (
            surely("pad", multiple=64),
            lambda it: np.pad(it, ((0, 18), (0, 42), (0, 0)), constant_values=128),
        ),
    ],
)
def test_flips_quarter_turns_and_padding_copy_pixels_exactly(
    operation: dict[str, object], expected: Callable[[np.ndarray], np.ndarray]
):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (110, 150, 3), dtype=np.uint8)
    made = augment(Image.fromarray(pixels), [], options(operation), Key(0, 0, 0))
    assert np.array_equal(np.asarray(made.image), expected(pixels))


def test_what_an_earlier_canvas_cut_off_is_filled_not_shown_again():
    crop = surely("crop", area=0.25, aspect=1, min_coverage=0)
    made = changed(SIZE, Shape("box", (0, 0, 150, 110)), options(crop, surely("expand", factor=2)))
    patch = found(made.image)
    x1, y1, x2, y2 = map(round, made.shapes[0].points)
    assert patch[y1:y2, x1:x2].all()
    assert patch.sum() == (x2 - x1) * (y2 - y1) == 75 * 55
    grey = np.asarray(made.image)[~patch]
    assert (grey == 128).all()
