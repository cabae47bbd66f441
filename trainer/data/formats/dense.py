"""Read dense captioning records: one picture and what is marked in it."""

from typing import Any

from trainer.data.errors import Source
from trainer.data.formats.figures import read_shape
from trainer.data.formats.parts import Parts, json_kind
from trainer.data.objects import MarkedObject
from trainer.data.records import DenseRecord


def claims(value: dict[str, Any]) -> bool:
    """Whether an object has what such a record needs."""
    pictured = "images" in value or "image" in value
    described = isinstance(value.get("objects"), list) or "summary" in value
    return pictured and described and "messages" not in value


def read(value: dict[str, Any], source: Source) -> DenseRecord:
    """Return the record in an object; raises RecordError."""
    return _Dense(source).record(value)


class _Dense(Parts):
    def record(self, value: dict[str, Any]) -> DenseRecord:
        self.refuse_media(value)
        images = self.images(value)
        if len(images) != 1:
            what = f"{len(images)} images in a dense record" if images else "no image"
            remedy = "write one record an image; data.dense groups them"
            raise self.error(what, remedy if images else "name one under `images`")
        entries = value.get("objects")
        summary = self.optional_text(value, "summary")
        if entries is None and summary is None:
            raise self.error("neither `objects` nor `summary`", "add one")
        objects = self.objects([] if entries is None else entries, "`objects`")
        marked = tuple(self.marked(it, f"objects[{number}]") for number, it in enumerate(objects))
        return DenseRecord(
            source=self.source,
            image=images[0],
            objects=marked,
            size=self.size(value),
            summary=summary,
        )

    def marked(self, item: dict[str, Any], where: str) -> MarkedObject:
        desc = item.get("desc")
        if not isinstance(desc, str) or not desc.strip():
            found = "empty" if isinstance(desc, str) else json_kind(desc)
            raise self.error(f"{where}.desc is {found}", "say what the object is")
        return MarkedObject(read_shape(self, item, where), desc)

    def size(self, value: dict[str, Any]) -> tuple[int, int] | None:
        """Return width and height as the record states them, None where it states neither."""
        width, height = value.get("width"), value.get("height")
        if width is None and height is None:
            return None
        pixels: list[int] = []
        for key, number in (("width", width), ("height", height)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                found = number if isinstance(number, int | float) else json_kind(number)
                raise self.error(
                    f"`{key}` is {found}", "write the pixels of the picture, or neither"
                )
            pixels.append(number)
        return pixels[0], pixels[1]
