"""Read ms-swift's records: messages with markers, images and objects beside them."""

from typing import Any

from trainer.data.errors import Source
from trainer.data.formats.beside import Beside
from trainer.data.formats.figures import mark_of, point_of, shape_of
from trainer.data.formats.parts import ROLES, json_kind, shown_role
from trainer.data.records import ChatRecord, Mark, Message, Unit

BOX_TYPES: dict[str, Unit] = {"real": "pixel", "norm1": "norm1"}
PREFERENCES = ("rejected_response", "rejected_images", "rejected_messages", "label")


def claims(value: dict[str, Any]) -> bool:
    """Whether an object has what such a record needs."""
    return "messages" in value


def read(value: dict[str, Any], source: Source) -> ChatRecord:
    """Return the record in an object; raises RecordError."""
    return _Swift(source, value).record(value)


class _Swift(Beside):
    def record(self, value: dict[str, Any]) -> ChatRecord:
        for key in PREFERENCES:
            if value.get(key) is not None:
                raise self.error(f"`{key}` is for preferences", "remove the key")
        if value.get("objects"):
            self.read_objects(value["objects"])
        turns = self.objects(value.get("messages"), "`messages`")
        messages = [self.turn(turn, f"messages[{i}]") for i, turn in enumerate(turns)]
        system = self.optional_text(value, "system")
        if system:
            messages.insert(0, {"role": "system", "content": system})
        return self.chat(value, messages)

    def turn(self, turn: dict[str, Any], where: str) -> Message:
        role = turn.get("role")
        role = "tool" if role == "tool_response" else role
        if role not in ROLES:
            what = f"{where} has the role {shown_role(role)}"
            raise self.error(what, f"use one of {', '.join(ROLES)}")
        self.check_weight(turn, where)
        text = self.text_of_turn(turn, "content", where)
        return {"role": role, "content": self.content(text, where, role)}

    def read_objects(self, objects: Any) -> None:
        """Take over names and boxes; from then on their markers stand for them."""
        if not isinstance(objects, dict):
            what = f"`objects` is {json_kind(objects)}"
            raise self.error(what, 'write {"ref": [...], "bbox": [...]}')
        kind = objects.get("bbox_type") or "real"
        unit = BOX_TYPES.get(kind) if isinstance(kind, str) else None
        if unit is None:
            what = f"objects.bbox_type is {kind!r}"[:80]
            raise self.error(what, f"use one of {', '.join(BOX_TYPES)}")
        self.names = tuple(self.names_in(objects.get("ref") or []))
        boxes = objects.get("bbox") or []
        if not isinstance(boxes, list):
            raise self.error(f"objects.bbox is {json_kind(boxes)}", "write a list of boxes")
        images = self.image_numbers(objects, len(boxes))
        self.marks = tuple(
            self.mark(box, image, unit, f"objects.bbox[{number}]")
            for number, (box, image) in enumerate(zip(boxes, images, strict=True))
        )

    def names_in(self, names: Any) -> list[str]:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.error("objects.ref is no list of texts", "write one name a marker")
        return names

    def mark(self, numbers: Any, image: int, unit: Unit, where: str) -> Mark:
        if isinstance(numbers, list) and len(numbers) == 2:
            shape = point_of(self, numbers, where)
        else:
            shape = shape_of(self, "box", numbers, where)
        return mark_of(self, Mark(shape, image, unit), where)

    def image_numbers(self, objects: dict[str, Any], boxes: int) -> list[int]:
        """Return which image each box lies in; all in the first unless the record says so."""
        numbers = objects.get("image_id") or [0] * boxes
        known = range(len(self.beside))
        if not isinstance(numbers, list) or len(numbers) != boxes:
            raise self.error("objects.image_id has not one number a box", "write one a box")
        for number in numbers:
            if type(number) is not int or number not in known:
                raise self.error(
                    f"objects.image_id names image {number!r:.40}, of {len(known)} images",
                    "images are counted from 0",
                )
        return numbers
