"""The operations on colours: they leave every pixel where it is."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from trainer.config.augmentation import (
    Blur,
    Brightness,
    Clahe,
    Contrast,
    Gamma,
    Hue,
    Jpeg,
    Noise,
    Operation,
    Saturation,
)
from trainer.data.augment.canvas import LeftOut
from trainer.data.augment.clahe import equalized
from trainer.data.augment.draws import Draws

LONGEST_JPEG_SIDE = 65_500  # px
NOISE_BYTES = 4  # whose sum is close to a normal distribution (Irwin and Hall)
NOISE_MEAN = NOISE_BYTES * 255 / 2
NOISE_DEVIATION = (NOISE_BYTES * (256**2 - 1) / 12) ** 0.5
BLOCK_VALUES = 2**20  # noise is added in blocks, to need little memory

Told = tuple[Image.Image, str]


def brightness(operation: Brightness, image: Image.Image, draws: Draws) -> Told:
    """Make every colour lighter or darker."""
    factor = draws.between(operation.factor)
    return ImageEnhance.Brightness(image).enhance(factor), f"{factor:.3f}"


def contrast(operation: Contrast, image: Image.Image, draws: Draws) -> Told:
    """Move every colour away from the mean grey or towards it."""
    factor = draws.between(operation.factor)
    return ImageEnhance.Contrast(image).enhance(factor), f"{factor:.3f}"


def saturation(operation: Saturation, image: Image.Image, draws: Draws) -> Told:
    """Move every colour away from its own grey or towards it."""
    factor = draws.between(operation.factor)
    return ImageEnhance.Color(image).enhance(factor), f"{factor:.3f}"


def hue(operation: Hue, image: Image.Image, draws: Draws) -> Told:
    """Turn the colour circle, in steps of 360 / 256 degrees."""
    degrees = draws.between(operation.degrees)
    steps = round(degrees / 360 * 256)
    if steps == 0:
        return image, f"{degrees:.2f} degrees"
    bands = image.convert("HSV").split()
    turned = bands[0].point([(value + steps) % 256 for value in range(256)])
    return Image.merge("HSV", (turned, *bands[1:])).convert("RGB"), f"{degrees:.2f} degrees"


def gamma(operation: Gamma, image: Image.Image, draws: Draws) -> Told:
    """Lighten or darken the middle tones."""
    exponent = draws.between(operation.exponent)
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * 3), f"{exponent:.3f}"


def clahe(operation: Clahe, image: Image.Image, draws: Draws) -> Told:
    """Even out the contrast of each neighbourhood, on the luminance alone."""
    limit = draws.between(operation.clip_limit)
    luminance, *chroma = image.convert("YCbCr").split()
    even = Image.fromarray(equalized(np.asarray(luminance), operation.tiles, limit))
    return Image.merge("YCbCr", (even, *chroma)).convert("RGB"), f"limit {limit:.2f}"


def blur(operation: Blur, image: Image.Image, draws: Draws) -> Told:
    """Blur with a Gaussian."""
    radius = draws.between(operation.radius_pixels)
    return image.filter(ImageFilter.GaussianBlur(radius)), f"radius {radius:.2f}"


def noise(operation: Noise, image: Image.Image, draws: Draws) -> Told:
    """Add noise that is close to normal to every value of every pixel."""
    deviation = draws.between(operation.deviation)
    values = np.array(image).reshape(-1)
    for start in range(0, len(values), BLOCK_VALUES):
        block = values[start : start + BLOCK_VALUES]
        octets = draws.octets(NOISE_BYTES * len(block)).reshape(-1, NOISE_BYTES)
        added = (octets.sum(axis=1, dtype=np.int64) - NOISE_MEAN) * (deviation / NOISE_DEVIATION)
        block[:] = np.clip(np.rint(block + added), 0, 255)
    noisy = values.reshape(image.height, image.width, 3)
    return Image.fromarray(noisy), f"deviation {deviation:.2f}"


def jpeg(operation: Jpeg, image: Image.Image, draws: Draws) -> Told:
    """Compress and read again."""
    quality = round(draws.between(operation.quality))
    if max(image.size) > LONGEST_JPEG_SIDE:
        raise LeftOut(f"a side over {LONGEST_JPEG_SIDE} pixels")
    compressed = io.BytesIO()
    image.save(compressed, "JPEG", quality=quality)
    with Image.open(compressed, formats=("JPEG",)) as read:
        return read.convert("RGB"), f"quality {quality}"


COLOURING: dict[type[Operation], Callable[[Any, Image.Image, Draws], Told]] = {
    Brightness: brightness,
    Contrast: contrast,
    Saturation: saturation,
    Hue: hue,
    Gamma: gamma,
    Clahe: clahe,
    Blur: blur,
    Noise: noise,
    Jpeg: jpeg,
}
