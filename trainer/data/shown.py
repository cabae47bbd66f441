"""A record in words, with the pictures that its words depend on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from trainer.config.dense import DenseConfig
from trainer.data.dense.answer import conversation_about
from trainer.data.dense.group import DenseGroup
from trainer.data.errors import RecordError, Source
from trainer.data.gallery import Gallery, Picture
from trainer.data.marks import is_structured, spoken
from trainer.data.pictures import PictureRule
from trainer.data.places import Canvas, Speech
from trainer.data.records import ChatRecord, DenseRecord, Record, WrittenRecord
from trainer.data.variation import Variation


@dataclass(frozen=True)
class Shown:
    """What is rendered and tokenised."""

    record: WrittenRecord
    pictures: tuple[Picture, ...] | None = None  # None: not looked at yet
    group: tuple[Source, ...] = ()  # of the records, where they are several
    notes: tuple[str, ...] = ()  # what had to be mended
    dropped: int = 0  # objects that augmentation left out

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the records lie."""
        return self.group or (self.record.source,)


@dataclass(frozen=True)
class Wording:
    """What decides how places in pictures are written."""

    rule: PictureRule
    speech: Speech
    dense: DenseConfig


def show(
    record: Record | DenseGroup,
    gallery: Gallery,
    wording: Wording,
    variation: Variation | None = None,
) -> Shown:
    """Return a record in words.

    Args:
        record: A record, or several dense ones.
        gallery: Reads the images that a record names, where the words depend on them.
        wording: How places are written.
        variation: Changes the pictures first, and what is marked in them with them.

    Raises:
        RecordError: A place does not lie in its picture.

    """
    if isinstance(record, DenseRecord):
        record = DenseGroup((record,))
    if isinstance(record, DenseGroup):
        pictures = [gallery.look(it.source, (it.image,), 0)[0] for it in record.records]
        shown = show_group(record, pictures, wording.rule, wording.speech, wording.dense)
        if variation is None:
            return shown
        varied, changed = variation.of_group(record, _pixels(pictures))
        seen = [Picture.of(pixels) for pixels in changed]
        again = show_group(varied, seen, wording.rule, wording.speech, wording.dense)
        again = replace(again, dropped=_objects(record) - _objects(varied))
    elif isinstance(record, ChatRecord) and (is_structured(record) or variation):
        pictures = gallery.look(record.source, record.images, 0)
        shown = show_chat(record, pictures, wording.rule, wording.speech)
        if variation is None:
            return shown
        varied, changed = variation.of_chat(record, _pixels(pictures))
        seen = [Picture.of(pixels) for pixels in changed]
        again = show_chat(varied, seen, wording.rule, wording.speech)
    else:
        return Shown(record)
    # Written before too, so that a wrong coordinate is refused: cut at the edge it looks right.
    return replace(again, notes=shown.notes)


def _objects(group: DenseGroup) -> int:
    return sum(len(record.objects) for record in group.records)


def show_chat(
    record: ChatRecord, pictures: Sequence[Picture], rule: PictureRule, speech: Speech
) -> Shown:
    """Return a conversation whose marks are text; raises RecordError."""
    notes: set[str] = set()
    canvases = [Canvas.of(*picture.size, rule) for picture in pictures]
    written = spoken(record, canvases, speech, notes)
    return Shown(written, tuple(pictures), notes=tuple(notes))


def show_group(
    group: DenseGroup,
    pictures: Sequence[Picture],
    rule: PictureRule,
    speech: Speech,
    options: DenseConfig,
) -> Shown:
    """Return a group of dense records as the conversation about them; raises RecordError."""
    notes: set[str] = set()
    for record, picture in zip(group.records, pictures, strict=True):
        check_stated_size(record, picture.size)
    seen = [
        (Canvas.of(*picture.size, rule), record.objects)
        for record, picture in zip(group.records, pictures, strict=True)
    ]
    written = conversation_about(group, seen, speech, options, notes)
    return Shown(written, tuple(pictures), group.sources, tuple(notes))


def _pixels(pictures: Sequence[Picture]) -> list[Image.Image]:
    """The pixels that a variation changes; it is never asked for where they are left out."""
    return [picture.pixels for picture in pictures if picture.pixels is not None]


def check_stated_size(record: DenseRecord, size: tuple[int, int]) -> None:
    """Raise RecordError where coordinates are of another picture than the one that is there."""
    if record.size is None or record.size == size:
        return
    stated, found = (" x ".join(map(str, edges)) for edges in (record.size, size))
    what = f"width and height are {stated}, the picture has {found} (upright)"
    raise RecordError(record.source, what, "correct them, and the coordinates with them")
