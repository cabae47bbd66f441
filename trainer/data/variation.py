"""Change the pictures of a record while training, and with them what it marks in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from trainer.config.augmentation import AugmentationConfig
from trainer.data.augment.augment import Augmented, augment
from trainer.data.augment.draws import Key
from trainer.data.dense.group import DenseGroup
from trainer.data.marks import in_pixels
from trainer.data.objects import MarkedObject, Shape
from trainer.data.places import Canvas
from trainer.data.records import ChatRecord, DenseRecord

OBJECT_DROPPED = "augmentation left out an object"  # a note of a sample for each of them

Pictures = list[Image.Image]


@dataclass(frozen=True)
class Variation:
    """How the pictures of one sample are changed in one epoch; a pure function of its fields."""

    options: AugmentationConfig
    seed: int
    epoch: int
    sample: int  # its number in the epoch

    def of_group(
        self, group: DenseGroup, pictures: Sequence[Image.Image]
    ) -> tuple[DenseGroup, Pictures]:
        """Return a group with its pictures changed, without the objects that a crop drops.

        Args:
            group: Records whose coordinates are known to lie in their pictures.
            pictures: One of each record.

        """
        records, changed = [], []
        for place, (record, picture) in enumerate(zip(group.records, pictures, strict=True)):
            made = self.augment(picture, [it.shape for it in record.objects], place)
            records.append(_with_objects(record, made))
            changed.append(made.image)
        return replace(group, records=tuple(records)), changed

    def of_chat(
        self, record: ChatRecord, pictures: Sequence[Image.Image]
    ) -> tuple[ChatRecord, Pictures]:
        """Return a conversation with its pictures changed and its marks where they are now.

        A sentence cannot go without a mark in it, so a crop that would drop one is left out.
        """
        marks, changed = list(record.marks), []
        for place, picture in enumerate(pictures):
            width, height = picture.size
            canvas = Canvas(width, height, width, height)
            mine = [number for number, mark in enumerate(marks) if mark.image == place]
            shapes = [in_pixels(marks[number], canvas) for number in mine]
            made = self.augment(picture, shapes, place, keep_all=True)
            for number, shape in zip(mine, made.shapes, strict=True):
                marks[number] = replace(marks[number], shape=shape, unit="pixel")
            changed.append(made.image)
        return replace(record, marks=tuple(marks)), changed

    def augment(
        self, picture: Image.Image, shapes: list[Shape], place: int, *, keep_all: bool = False
    ) -> Augmented:
        """Return what becomes of the picture at a place in the sample, and of its shapes."""
        key = Key(self.seed, self.epoch, self.sample, place)
        return augment(picture, shapes, self.options, key, keep_all=keep_all)


def _with_objects(record: DenseRecord, made: Augmented) -> DenseRecord:
    objects = (
        MarkedObject(shape, record.objects[number].desc)
        for shape, number in zip(made.shapes, made.kept, strict=True)
    )
    return replace(record, objects=tuple(objects), size=made.image.size)
