"""What is marked in the pictures of a record, in pixels."""

from collections.abc import Sequence
from dataclasses import replace

from trainer.data.marks import in_pixels
from trainer.data.objects import MarkedObject, Shape
from trainer.data.places import Canvas
from trainer.data.records import ChatRecord, DenseRecord, Record
from trainer.inspect.inspection import ShownObject

Size = tuple[int, int]  # width and height


def marked_objects(
    record: Record, sizes: Sequence[Size | None]
) -> tuple[tuple[MarkedObject, ...], ...]:
    """Return what a record marks in each of its pictures; nothing where a size is not known."""
    if isinstance(record, DenseRecord):
        return (record.objects,)
    if not isinstance(record, ChatRecord):
        return ()
    found: list[list[MarkedObject]] = [[] for _ in record.images]
    for mark, name in zip(record.marks, _names(record), strict=True):
        size = sizes[mark.image] if mark.image < len(sizes) else None
        if size is not None:
            shape = in_pixels(mark, Canvas(*size, *size))
            found[mark.image].append(MarkedObject(shape, name))
    return tuple(map(tuple, found))


def _names(record: ChatRecord) -> list[str]:
    """What each mark is called: the name that stands before it."""
    names: list[str] = []
    name = ""
    for message in record.messages:
        content = message["content"]
        for part in content if isinstance(content, list) else ():
            if part["type"] == "name":
                name = part["text"]
            elif part["type"] == "mark":
                names.append(name)
    return names


def shown_objects(objects: Sequence[MarkedObject]) -> tuple[ShownObject, ...]:
    """Return objects as they are shown, numbered from 1."""
    return tuple(
        ShownObject(kind=it.shape.kind, points=it.shape.points, desc=it.desc, number=number)
        for number, it in enumerate(objects, start=1)
    )


def on_other_size(objects: Sequence[ShownObject], old: Size, new: Size) -> tuple[ShownObject, ...]:
    """Return objects where they lie once their picture has another size."""
    scale = (new[0] / old[0], new[1] / old[1])
    return tuple(
        replace(it, points=tuple(value * scale[place % 2] for place, value in enumerate(it.points)))
        for it in objects
    )


def shape_of(shown: ShownObject) -> Shape:
    """Return the figure of an object."""
    return Shape(shown.kind, shown.points)
