"""What a line of data is once it is checked, whatever format it was written in."""

from dataclasses import dataclass
from typing import Any, Literal

from trainer.data.errors import Source
from trainer.data.objects import MarkedObject, Shape

Unit = Literal["pixel", "norm1"]  # norm1: shares of width and height, 0 to 1
Message = dict[str, Any]  # in the shape chat templates expect; images without their content


@dataclass(frozen=True)
class Mark:
    """A place in a picture that a conversation speaks of where it has `{"type": "mark"}`.

    A point is a line of two equal points.
    """

    shape: Shape
    image: int = 0  # of the conversation, from 0
    unit: Unit = "pixel"

    @property
    def is_point(self) -> bool:
        """Whether it has no extent."""
        return self.shape.kind == "line" and self.shape.points[:2] == self.shape.points[2:]


@dataclass(frozen=True, kw_only=True)
class ChatRecord:
    """A conversation whose assistant turns are trained."""

    source: Source
    messages: tuple[Message, ...]  # without `response`
    images: tuple[str, ...]  # data URI, base64, path or address, in the order of the messages
    response: str | None  # becomes the last assistant turn
    thinking: str | None  # goes before the response, if the configuration says so
    tools: list[Any] | None
    marks: tuple[Mark, ...] = ()  # in the order of the messages


@dataclass(frozen=True, kw_only=True)
class PromptRecord:
    """A prompt and its response, without any chat format."""

    source: Source
    prompt: str
    response: str


@dataclass(frozen=True, kw_only=True)
class TextRecord:
    """Plain text, of which every token is trained."""

    source: Source
    text: str


@dataclass(frozen=True, kw_only=True)
class DenseRecord:
    """One picture and everything that is marked in it; becomes a question when it is rendered."""

    source: Source
    image: str  # data URI, base64, path or address
    objects: tuple[MarkedObject, ...]  # in pixels of the picture
    size: tuple[int, int] | None  # width and height that the record states
    summary: str | None


def images_of(record: "Record") -> tuple[str, ...]:
    """Return the images that a record names, in their order."""
    if isinstance(record, DenseRecord):
        return (record.image,)
    return record.images if isinstance(record, ChatRecord) else ()


WrittenRecord = ChatRecord | PromptRecord | TextRecord  # already in words
Record = WrittenRecord | DenseRecord
