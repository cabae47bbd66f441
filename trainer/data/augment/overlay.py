"""Draw what is marked in a picture onto it."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from trainer.data.objects import Shape

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#f032e6", "#9a6324")
DOT = 2.5  # radius of the mark at the first point, in line widths


def overlay(image: Image.Image, shapes: Sequence[Shape]) -> Image.Image:
    """Return a copy of a picture with its shapes drawn and numbered from 1.

    A dot marks the first point of quads and lines.
    """
    drawn = image.convert("RGB").copy()
    draw = ImageDraw.Draw(drawn)
    width = max(1, round(max(drawn.size) / 300))
    font = ImageFont.load_default(max(10, round(max(drawn.size) / 40)))
    for number, shape in enumerate(shapes, start=1):
        colour = COLOURS[(number - 1) % len(COLOURS)]
        points = list(zip(shape.points[::2], shape.points[1::2], strict=True))
        if shape.kind == "box":
            (x1, y1), (x2, y2) = points
            points = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
        closed = points if shape.kind == "line" else [*points, points[0]]
        draw.line(closed, fill="white", width=width + 2, joint="curve")
        draw.line(closed, fill=colour, width=width, joint="curve")
        if shape.kind != "box":
            draw.circle(points[0], DOT * width, fill=colour, outline="white")
        place = min(points, key=lambda point: point[1] + point[0])
        draw.text(place, str(number), fill=colour, font=font, stroke_width=2, stroke_fill="white")
    return drawn
