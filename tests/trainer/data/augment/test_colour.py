"""Colours change as each operation says, and no pixel moves."""

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.augment.patches import options, surely
from trainer.data.augment.augment import augment
from trainer.data.augment.clahe import equalized
from trainer.data.augment.draws import Key


def ramp() -> Image.Image:
    """Colours that run over the picture, with a sharp edge in the middle."""
    y, x = np.mgrid[0:64, 0:96]
    pixels = np.stack([x * 2, y * 3, (x > 48) * 180 + 20], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def after(*ops: dict[str, object], record: int = 0) -> np.ndarray:
    return np.asarray(augment(ramp(), [], options(*ops), Key(0, 0, record)).image).astype(int)


BEFORE = np.asarray(ramp()).astype(int)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_a_factor_of_one_leaves_every_colour(name: str):
    assert np.array_equal(after(surely(name, factor=1)), BEFORE)


def test_brightness_multiplies():
    assert np.abs(after(surely("brightness", factor=0.5)) - BEFORE / 2).max() <= 1


def test_contrast_of_zero_is_one_grey_and_saturation_of_zero_many():
    assert np.unique(after(surely("contrast", factor=0))).size == 1
    grey = after(surely("saturation", factor=0))
    assert np.array_equal(grey[..., 0], grey[..., 1])
    assert np.unique(grey).size > 50


def test_hue_turns_the_colour_circle():
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    turned = augment(red, [], options(surely("hue", degrees=120)), Key(0, 0, 0)).image
    assert np.abs(np.array(turned.getpixel((0, 0))) - (0, 255, 0)).max() <= 6
    assert np.array_equal(after(surely("hue", degrees=0)), BEFORE)


def test_gamma_leaves_black_and_white_and_bends_what_is_between():
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2))
    bent = augment(levels, [], options(surely("gamma", exponent=2)), Key(0, 0, 0)).image
    values = np.asarray(bent)[0, :, 0]
    assert (values[0], values[255]) == (0, 255)
    assert values[128] == round(255 * (128 / 255) ** 2)


def test_noise_has_its_deviation_and_no_bias():
    grey = Image.new("RGB", (300, 300), (128, 128, 128))
    noisy = augment(grey, [], options(surely("noise", deviation=10)), Key(0, 0, 0)).image
    added = np.asarray(noisy).astype(int) - 128
    assert added.mean() == pytest.approx(0, abs=0.1)
    assert added.std() == pytest.approx(10, rel=0.02)
    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.02
    shares = [(np.abs(added) > limit).mean() for limit in (10.5, 20.5)]
    assert shares == pytest.approx([0.294, 0.040], abs=0.012)  # a normal distribution's


def test_blur_smooths_an_edge_where_it_is():
    blurred = after(surely("blur", radius_pixels=2))[32, :, 2]
    assert np.abs(np.diff(blurred)).max() < 60
    assert abs(int(blurred[48]) - 110) < 60


def test_jpeg_loses_more_at_a_lower_quality():
    losses = [np.abs(after(surely("jpeg", quality=it)) - BEFORE).mean() for it in (95, 30, 5)]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_clahe_spreads_a_dull_neighbourhood_and_limits_how_far():
    rng = np.random.default_rng(0)
    dull = (100 + rng.integers(0, 20, (120, 160))).astype(np.uint8)
    spreads = [float(equalized(dull, 4, limit).std()) for limit in (1.0, 2.0, 8.0, 100.0)]
    assert spreads == sorted(spreads)
    assert spreads[0] < 2.1 * dull.std()
    assert spreads[3] > 8 * dull.std()


def test_clahe_has_no_seams_between_its_tiles():
    y, x = np.mgrid[0:128, 0:128]
    smooth = (x + y).astype(np.uint8)
    even = equalized(smooth, 4, 3.0).astype(int)
    assert np.abs(np.diff(even, axis=0)).max() <= 6
    assert np.abs(np.diff(even, axis=1)).max() <= 6
