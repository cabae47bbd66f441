"""Write a record as the native format has it; dense records stay dense ones."""

from collections.abc import Callable, Iterator
from typing import Any

from trainer.data.formats import figures
from trainer.data.formats.figures import POINT_KEY
from trainer.data.records import (
    DenseRecord,
    Mark,
    Message,
    PromptRecord,
    Record,
    TextRecord,
)

Moved = Callable[[str], str]  # an image's reference as the new file has to name it


def native_json(record: Record, moved: Moved) -> dict[str, Any]:
    """Return the JSON object that reads as an equal record.

    Args:
        record: Any record.
        moved: Gives the reference of an image in the place where the JSON will lie.

    """
    if isinstance(record, TextRecord):
        return {"text": record.text}
    if isinstance(record, PromptRecord):
        return {"prompt": record.prompt, "response": record.response}
    if isinstance(record, DenseRecord):
        return _dense(record, moved)
    images, marks = map(moved, record.images), iter(record.marks)
    value: dict[str, Any] = {
        "messages": [_message(message, images, marks) for message in record.messages]
    }
    others = {"response": record.response, "thinking": record.thinking, "tools": record.tools}
    return value | {key: entry for key, entry in others.items() if entry is not None}


def _message(message: Message, images: Iterator[str], marks: Iterator[Mark]) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return message
    return {**message, "content": [_part(part, images, marks) for part in content]}


def _part(part: dict[str, str], images: Iterator[str], marks: Iterator[Mark]) -> dict[str, Any]:
    if part["type"] == "image":
        return {"type": "image", "image": next(images)}
    return {"type": "mark", **_mark(next(marks))} if part["type"] == "mark" else part


def _mark(mark: Mark) -> dict[str, Any]:
    if mark.is_point:
        numbers = next(iter(figures.as_json(mark.shape).values()))
        value: dict[str, Any] = {POINT_KEY: numbers[:2]}
    else:
        value = dict(figures.as_json(mark.shape))
    if mark.image:
        value["image"] = mark.image
    return value if mark.unit == "pixel" else {**value, "unit": mark.unit}


def _dense(record: DenseRecord, moved: Moved) -> dict[str, Any]:
    value: dict[str, Any] = {
        "images": [moved(record.image)],
        "objects": [{**figures.as_json(it.shape), "desc": it.desc} for it in record.objects],
    }
    if record.size is not None:
        value["width"], value["height"] = record.size
    return value if record.summary is None else {**value, "summary": record.summary}
