"""Draw a picture with half blocks, two pixels a cell, or in shades of grey."""

from itertools import groupby
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from PIL.Image import Image

UPPER_HALF = "▀"
SHADES = " ░▒▓█"  # on a dark ground; turned round on a light one


def fitted(pixels: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return how many cells wide and high a picture becomes that keeps its shape.

    A cell counts as twice as high as it is wide.
    """
    across, down = pixels
    scale = min(width / across, 2 * height / down)
    cells_across = max(1, min(width, round(across * scale)))
    return cells_across, max(1, min(height, round(down * scale / 2)))


def half_blocks(image: "Image", width: int, height: int, ground: Style) -> list[Strip]:
    """Return the picture in at most `width` x `height` cells, in colours."""
    across, down = fitted(image.size, width, height)
    small = image.resize((across, 2 * down), reducing_gap=2.0)
    rows = _pixel_rows(small.tobytes(), across)
    return [
        _strip(list(zip(upper, lower, strict=True)), ground)
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _pixel_rows(rgb: bytes, across: int) -> list[list[tuple[int, int, int]]]:
    pixels = list(zip(rgb[::3], rgb[1::3], rgb[2::3], strict=True))
    return [pixels[start : start + across] for start in range(0, len(pixels), across)]


def _strip(cells: list[tuple[tuple[int, int, int], tuple[int, int, int]]], ground: Style) -> Strip:
    segments = [
        Segment(
            UPPER_HALF * len(list(same)),
            ground + Style.from_color(Color.from_rgb(*upper), Color.from_rgb(*lower)),
        )
        for (upper, lower), same in groupby(cells)
    ]
    return Strip(segments, len(cells))


def shades(image: "Image", width: int, height: int, ground: Style, *, dark: bool) -> list[Strip]:
    """Return the picture in at most `width` x `height` cells, without colours."""
    across, down = fitted(image.size, width, height)
    grey = image.convert("L").resize((across, down), reducing_gap=2.0).tobytes()
    ramp = SHADES if dark else SHADES[::-1]
    text = "".join(ramp[value * len(ramp) // 256] for value in grey)
    return [
        Strip([Segment(text[start : start + across], ground)], across)
        for start in range(0, len(text), across)
    ]
