"""Write the marks of a conversation into its text."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from trainer.data.errors import RecordError
from trainer.data.objects import Shape
from trainer.data.places import Canvas, PlaceError, Speech
from trainer.data.records import ChatRecord, Mark, Message

STRUCTURED = ("mark", "name")  # parts of a message that a model's speech turns into text


def is_structured(record: ChatRecord) -> bool:
    """Whether a conversation has marks or names that are no text yet."""
    contents = (message["content"] for message in record.messages)
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return bool(record.marks) or any(part["type"] in STRUCTURED for part in parts)


def in_pixels(mark: Mark, canvas: Canvas) -> Shape:
    """Return a mark's figure in pixels of its picture."""
    if mark.unit == "pixel":
        return mark.shape
    edges = (canvas.width, canvas.height)
    points = (value * edges[place % 2] for place, value in enumerate(mark.shape.points))
    return Shape(mark.shape.kind, tuple(points))


def spoken(
    record: ChatRecord, canvases: Sequence[Canvas], speech: Speech, notes: set[str]
) -> ChatRecord:
    """Return a conversation in which every mark is text.

    Args:
        record: The conversation.
        canvases: Its pictures, one each.
        speech: How the model names places.
        notes: Takes up what had to be mended.

    Raises:
        RecordError: A mark does not lie in its picture.

    """
    texts = _mark_texts(record, canvases, speech, notes)
    messages = tuple(_message(message, texts, speech) for message in record.messages)
    return replace(record, messages=messages, marks=())


def _mark_texts(
    record: ChatRecord, canvases: Sequence[Canvas], speech: Speech, notes: set[str]
) -> Iterator[str]:
    for number, mark in enumerate(record.marks, start=1):
        canvas = canvases[mark.image]
        shape = in_pixels(mark, canvas)
        try:
            numbers = speech.numbers(shape, canvas, notes)
        except PlaceError as error:
            what = f"mark {number} of {len(record.marks)}: {error}"
            raise RecordError(record.source, what, "correct it, or state its unit") from error
        yield speech.place(shape, numbers, point=mark.is_point)


def _message(message: Message, texts: Iterator[str], speech: Speech) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return message
    parts: list[dict[str, Any]] = []
    for part in content:
        text = _text_of(part, texts, speech)
        if text is None:
            parts.append(part)
        elif parts and parts[-1]["type"] == "text":
            parts[-1] = {"type": "text", "text": parts[-1]["text"] + text}
        else:
            parts.append({"type": "text", "text": text})
    if len(parts) == 1 and parts[0]["type"] == "text":
        return {**message, "content": parts[0]["text"]}
    return {**message, "content": parts}


def _text_of(part: dict[str, Any], texts: Iterator[str], speech: Speech) -> str | None:
    """A part of a message as text, None for an image."""
    if part["type"] == "mark":
        return next(texts)
    if part["type"] == "name":
        return speech.name(part["text"])
    return part.get("text") if part["type"] == "text" else None
