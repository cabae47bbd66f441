"""Read conversations whose images and boxes lie beside them, with markers in the text."""

from typing import Any

from trainer.data.errors import Source
from trainer.data.formats.markers import BOX, IMAGE, NAME, pieces
from trainer.data.formats.parts import Parts, json_kind
from trainer.data.records import ChatRecord, Mark, Message


class Beside(Parts):
    """Puts what lies beside a conversation where its markers are, and counts both."""

    def __init__(self, source: Source, value: dict[str, Any]) -> None:
        super().__init__(source)
        self.refuse_media(value)
        self.beside = self.images(value)
        self.marks: tuple[Mark, ...] | None = None  # None: `<bbox>` is plain text
        self.names: tuple[str, ...] = ()
        self.markers = {IMAGE: 0, BOX: 0, NAME: 0}

    def chat(self, value: dict[str, Any], messages: list[Message]) -> ChatRecord:
        """Return the record of these messages; raises RecordError."""
        if not messages:
            raise self.error("the conversation is empty", "add a question and its answer")
        if messages[-1]["role"] != "assistant":
            raise self.error("no answer to train", "end with an assistant's turn")
        self.check_counts()
        return ChatRecord(
            source=self.source,
            messages=tuple(messages),
            images=tuple(self.beside),
            response=None,
            thinking=None,
            tools=self.tools(value),
            marks=self.marks or (),
        )

    def check_counts(self) -> None:
        """Raise RecordError where markers and what they stand for are not as many."""
        self.check_count(IMAGE, len(self.beside), "an image", "images")
        if self.marks is not None:
            self.check_count(BOX, len(self.marks), "a box", "boxes")
            self.check_count(NAME, len(self.names), "a name", "names")

    def check_count(self, marker: str, there: int, one: str, several: str) -> None:
        """Raise RecordError where a marker is not there once for each thing."""
        marked = self.markers[marker]
        if marked == there:
            return
        things = one.partition(" ")[2] if there == 1 else several
        markers = "marker" if marked == 1 else "markers"
        too_few = f"add a marker or remove {one}"
        remedy = too_few if marked < there else f"remove a marker or add {one}"
        raise self.error(f"{there} {things} but {marked} {marker} {markers}", remedy)

    def text_of_turn(self, turn: dict[str, Any], key: str, where: str) -> str:
        """Return a turn's text; raises RecordError."""
        text = turn.get(key)
        if not isinstance(text, str):
            raise self.error(f"{where}.{key} is {json_kind(text)}", "write it as a string")
        return text

    def content(self, text: str, where: str, role: str) -> str | list[dict[str, str]]:
        """Return a text as a message's content, with images and marks in it.

        Raises RecordError for an image in an answer.
        """
        parts: list[dict[str, str]] = []
        for piece in pieces(text):
            part = self.part(piece)
            if part["type"] == "image" and role == "assistant":
                what = f"{where} is an answer with {IMAGE}"
                raise self.error(what, "answers are text; move the marker")
            if part["type"] == "text" and parts and parts[-1]["type"] == "text":
                parts[-1] = {"type": "text", "text": parts[-1]["text"] + part["text"]}
            else:
                parts.append(part)
        if all(part["type"] == "text" for part in parts):
            return "".join(part["text"] for part in parts)
        return parts

    def part(self, piece: str) -> dict[str, str]:
        """Return a stretch of text, or what a marker stands for, and count the marker."""
        if piece == IMAGE:
            self.markers[IMAGE] += 1
            return {"type": "image"}
        if self.marks is None or piece not in (BOX, NAME):
            return {"type": "text", "text": piece}
        number = self.markers[piece]
        self.markers[piece] += 1
        if piece == BOX:
            return {"type": "mark"}
        return {"type": "name", "text": self.names[number] if number < len(self.names) else ""}
