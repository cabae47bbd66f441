"""The images of a sample, as their files have them and as the model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.data.encoded import ImageError, is_path, read_encoded
from trainer.data.encoding import Encoder
from trainer.data.errors import Source
from trainer.data.images import decode_image
from trainer.data.objects import MarkedObject
from trainer.data.pictures import PictureRule
from trainer.data.records import ChatRecord, Record, images_of
from trainer.data.samples import Sample
from trainer.data.variation import Variation
from trainer.inspect.inspection import ShownImage, ShownObject, ShownPicture
from trainer.inspect.marked import marked_objects, on_other_size, shown_objects
from trainer.inspect.pictures import data_uri, picture_of_patches

REFERENCE_CHARACTERS = 200


@dataclass(frozen=True, eq=False)
class Stored:
    """An image as its file has it, before it is made small."""

    shown: ShownImage
    picture: Image.Image | None  # None: it cannot be decoded
    objects: tuple[MarkedObject, ...]
    keep_all: bool  # whether augmentation may not drop what is marked


def stored_images(record: Record, number: int, encoder: Encoder) -> list[Stored]:
    """Return a record's images as their files have them, numbered from 1.

    Args:
        record: The record.
        number: Its number, from 0.
        encoder: Says what may be read.

    """
    references = images_of(record)
    found = [_decoded(record.source, reference, encoder) for reference in references]
    pictures = [it if isinstance(it, Image.Image) else None for it in found]
    objects = marked_objects(record, [it.size if it else None for it in pictures])
    images: list[Stored] = []
    for place, (reference, picture) in enumerate(zip(references, found, strict=True)):
        shown = ShownImage(
            number=place + 1,
            record=number + 1,
            reference=short_reference(reference, record.source),
        )
        if isinstance(picture, ImageError):
            shown = replace(shown, problem=str(picture))
        else:
            marked = shown_objects(objects[place])
            shown = replace(shown, stored=_shown_picture(picture, marked))
        keep_all = isinstance(record, ChatRecord)
        images.append(Stored(shown, pictures[place], objects[place], keep_all))
    return images


def _shown_picture(picture: Image.Image, objects: tuple[ShownObject, ...]) -> ShownPicture:
    width, height = picture.size
    return ShownPicture(width=width, height=height, data=data_uri(picture), objects=objects)


def _decoded(source: Source, reference: str, encoder: Encoder) -> Image.Image | ImageError:
    policy = encoder.image_policy
    try:
        return decode_image(read_encoded(reference, Path(source.file).parent, policy), policy)
    except ImageError as error:
        return error


def short_reference(reference: str, source: Source) -> str:
    """Return how a record names an image, without the image itself."""
    if is_path(reference, Path(source.file).parent):
        return reference[:REFERENCE_CHARACTERS]
    if reference.startswith("data:"):
        return f"{reference[:60].partition(',')[0]}, {len(reference)} characters"
    if len(reference) > REFERENCE_CHARACTERS:
        return f"base64, {len(reference)} characters"
    return reference


def seen_images(
    stored: Sequence[Stored], sample: Sample, rule: PictureRule, variation: Variation | None
) -> tuple[ShownImage, ...]:
    """Return a sample's images with what the model sees of them, put together from its patches.

    Args:
        stored: The images of the sample's records, in their order.
        sample: Whose patches were cut from them.
        rule: By which they were resized.
        variation: By which they were changed before.

    """
    if sample.patches is None or sample.image_grid_thw is None:
        return ()
    ends = np.cumsum(np.prod(sample.image_grid_thw, axis=1))
    patches = np.split(sample.patches, ends[:-1])
    images: list[ShownImage] = []
    for place, (image, piece) in enumerate(zip(stored, patches, strict=True)):
        frames, rows, columns = sample.image_grid_thw[place].tolist()
        picture = picture_of_patches(piece, (frames, rows, columns), rule)
        changed, objects, size = _changed(image, place, variation)
        seen = _shown_picture(picture, on_other_size(objects, size, picture.size))
        images.append(
            replace(
                changed,
                number=place + 1,
                visual_tokens=len(piece) // rule.merge**2,
                grid=(frames, rows, columns),
                seen=seen,
            )
        )
    return tuple(images)


def _changed(
    image: Stored, place: int, variation: Variation | None
) -> tuple[ShownImage, tuple[ShownObject, ...], tuple[int, int]]:
    """An image with what augmentation did to it, its objects after that, and its size then."""
    assert image.picture is not None  # its patches were cut from it
    marked = shown_objects(image.objects)
    if variation is None:
        return image.shown, marked, image.picture.size
    shapes = [it.shape for it in image.objects]
    made = variation.augment(image.picture, shapes, place, keep_all=image.keep_all)
    kept = tuple(
        replace(marked[number], kind=shape.kind, points=shape.points, coverage=coverage)
        for number, shape, coverage in zip(made.kept, made.shapes, made.coverage, strict=True)
    )
    gone = tuple(it for number, it in enumerate(marked) if number not in made.kept)
    shown = replace(image.shown, applied=made.applied, left_out=made.left_out, dropped=gone)
    return shown, kept, made.image.size
