"""Read boxes, quads, lines and points as they are written in records."""

from typing import Any

from trainer.data.formats.parts import Parts, json_kind, shown_keys
from trainer.data.objects import Kind, Shape
from trainer.data.records import Mark

KEYS: dict[str, Kind] = {"bbox_2d": "box", "quad": "quad", "line": "line"}
POINT_KEY = "point_2d"
UNITS = ("pixel", "norm1")
MOST_SHARE = 2.0  # of a picture; what lies a little outside is judged with the picture at hand


def read_shape(parts: Parts, item: dict[str, Any], where: str) -> Shape:
    """Return the one figure that an object names; raises RecordError."""
    given = [key for key in KEYS if item.get(key) is not None]
    if len(given) != 1:
        said = " and ".join(f"`{key}`" for key in given) or f"only {shown_keys(item)}"
        raise parts.error(f"{where} has {said}", "write one of bbox_2d, quad and line")
    return shape_of(parts, KEYS[given[0]], item[given[0]], f"{where}.{given[0]}")


def read_mark(parts: Parts, item: dict[str, Any], where: str) -> Mark:
    """Return the place that an item of a message's content names; raises RecordError."""
    image, unit = item.get("image", 0), item.get("unit", "pixel")
    if isinstance(image, bool) or not isinstance(image, int) or image < 0:
        raise parts.error(f"{where}.image is {json_kind(image)}", "write an image's number, from 0")
    if unit not in UNITS:
        raise parts.error(f"{where} has the unit {unit!r}"[:80], f"use one of {', '.join(UNITS)}")
    if item.get(POINT_KEY) is not None:
        shape = point_of(parts, item[POINT_KEY], f"{where}.{POINT_KEY}")
    else:
        shape = read_shape(parts, item, where)
    return mark_of(parts, Mark(shape, image, unit), where)


def mark_of(parts: Parts, mark: Mark, where: str) -> Mark:
    """Return the mark; raises RecordError where its numbers are no shares of a picture."""
    if mark.unit == "norm1" and max(map(abs, mark.shape.points)) > MOST_SHARE:
        raise parts.error(f"{where} is no share of the picture", "write 0 to 1, or pixels")
    return mark


def point_of(parts: Parts, numbers: Any, where: str) -> Shape:
    """Return two numbers as a point; raises RecordError."""
    if isinstance(numbers, list) and len(numbers) == 2:
        return shape_of(parts, "line", [*numbers, *numbers], where)
    raise parts.error(f"{where} is no list of 2 numbers", "write [x, y]")


def shape_of(parts: Parts, kind: Kind, numbers: Any, where: str) -> Shape:
    """Return a list of numbers as a figure; raises RecordError."""
    if not isinstance(numbers, list):
        raise parts.error(f"{where} is {json_kind(numbers)}", "write a list of numbers")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise parts.error(f"{where} holds {json_kind(number)}", "write numbers only")
    try:
        return Shape(kind, tuple(map(float, numbers)))
    except (ValueError, OverflowError) as error:
        raise parts.error(f"{where}: {error}", "correct the coordinates") from error


def as_json(shape: Shape) -> dict[str, list[float]]:
    """Return a figure as records name it: key and numbers."""
    key = next(key for key, kind in KEYS.items() if kind == shape.kind)
    return {key: [int(number) if number.is_integer() else number for number in shape.points]}
