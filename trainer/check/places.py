"""What is odd about places in pictures that answers name in their text."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from trainer.check.answers import answers_of
from trainer.check.findings import Remark, warning
from trainer.data.measuring import Measured
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.records import Record

BOX_KEYS = ("bbox_2d", "bbox", "box_2d", "box")
KEYS = (*BOX_KEYS, "quad", "line", "poly", "point_2d")
_BOX = re.compile(r"<\|box_start\|>\((\d+),(\d+)\),\((\d+),(\d+)\)<\|box_end\|>")
_REACH = {"norm100": 100, "norm1000": 1000}

Place = tuple[str, Sequence[float]]  # key and numbers


def odd_places(
    record: Record, measured: Measured, speech: Speech, rule: PictureRule
) -> Iterator[Remark]:
    """Yield places in the answers that lie outside the picture or have swapped corners."""
    if not measured.images:
        return
    found = [place for answer in answers_of(record) for place in _places(answer.text)]
    if not found:
        return
    across, down = _reach(measured, speech, rule)
    for key, numbers in found:
        if min(numbers) < 0 or max(numbers[::2]) > across or max(numbers[1::2]) > down:
            yield warning(
                "coordinates out of range",
                f"{key} {_shown(numbers)} reaches beyond {across} x {down} ({speech.scale})",
                "correct it, or set data.coordinates to the scale that the answers use",
            )
        elif key in BOX_KEYS and (numbers[0] > numbers[2] or numbers[1] > numbers[3]):
            yield warning(
                "swapped corners",
                f"{key} {_shown(numbers)} ends before it begins",
                "write x1, y1, x2, y2 with the upper left corner first",
            )


def _reach(measured: Measured, speech: Speech, rule: PictureRule) -> tuple[int, int]:
    """How far coordinates may go; with several pictures as far as in any."""
    if speech.scale in _REACH:
        return _REACH[speech.scale], _REACH[speech.scale]
    sizes = [rule.resized(image.width, image.height) for image in measured.images]
    return max(wide for _, wide in sizes), max(tall for tall, _ in sizes)


def _places(answer: str) -> Iterator[Place]:
    for match in _BOX.finditer(answer):
        yield "bbox", [int(number) for number in match.groups()]
    if any(f'"{key}"' in answer for key in KEYS):
        yield from _places_in(_value(answer))


def _value(answer: str) -> object:
    """The JSON of an answer, also between the lines of a code block; None where there is none."""
    text = answer.strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _places_in(value: Any) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in KEYS and _are_numbers(item, key):
                yield key, item
            else:
                yield from _places_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _places_in(item)


def _are_numbers(item: Any, key: str) -> bool:
    if not isinstance(item, list) or len(item) < 2 or len(item) % 2:
        return False
    if key in BOX_KEYS and len(item) != 4:
        return False
    return all(isinstance(it, int | float) and not isinstance(it, bool) for it in item)


def _shown(numbers: Sequence[float]) -> str:
    return f"[{', '.join(f'{number:g}' for number in numbers[:8])}]"
