"""Make a picture as small as it will be drawn, and draw what is marked in it."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qvl_tui.widgets.half_blocks import fitted

if TYPE_CHECKING:
    from PIL.Image import Image

    from trainer.inspect.inspection import ShownObject, ShownPicture

COLOURS = ("#e6194b", "#3cb44b", "#5c7cfa", "#f58231", "#c05ce0", "#00a3a3", "#f032e6", "#c9a227")
FORMATS = ("JPEG", "PNG")  # that the process sends
FINE_PIXELS = 8  # a cell is so many pixels wide where the terminal draws


def colour_of(marked: "ShownObject") -> str:
    """Return the colour that tells an object from its neighbours."""
    return COLOURS[(marked.number - 1) % len(COLOURS)]


def decoded(shown: "ShownPicture") -> "Image":
    """Return a picture as it was sent, in RGB."""
    from PIL import Image

    data = base64.b64decode(shown.data.partition(",")[2])
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.convert("RGB")


def with_marks(
    image: "Image",
    shown: "ShownPicture",
    cells: tuple[int, int],
    *,
    marks: bool,
    fine: bool,
) -> "Image":
    """Return a picture in the pixels of its cells, lines one pixel wide.

    Args:
        image: As it was sent.
        shown: Its own size and its objects.
        cells: Room for it, columns and rows.
        marks: Whether the objects are drawn.
        fine: Whether the terminal draws pixels rather than half blocks.

    """
    from PIL import ImageDraw

    across, down = fitted(image.size, *cells)
    grain = FINE_PIXELS if fine else 1
    size = (across * grain, 2 * down * grain)
    small = image.resize(size, reducing_gap=2.0)
    scale = (size[0] / shown.width, size[1] / shown.height)
    draw = ImageDraw.Draw(small)
    for marked in shown.objects if marks else ():
        points = _outline(marked, scale, size)
        draw.line(points, fill=colour_of(marked), width=max(1, grain // 4))
    return small


def _outline(
    marked: "ShownObject", scale: tuple[float, float], size: tuple[int, int]
) -> Sequence[tuple[float, float]]:
    """Where an object's line runs, closed where it is a figure, inside the picture."""
    points = [
        (min(max(x * scale[0], 0), size[0] - 1), min(max(y * scale[1], 0), size[1] - 1))
        for x, y in zip(marked.points[::2], marked.points[1::2], strict=True)
    ]
    if marked.kind == "box":
        (x1, y1), (x2, y2) = points
        points = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    return points if marked.kind == "line" else [*points, points[0]]
