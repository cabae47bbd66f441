"""Measure what a record takes, exactly, without decoding a pixel and without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import PIL
import tokenizers
from tokenizers import Tokenizer

from trainer.data.dense.answer import conversation_about
from trainer.data.dense.group import DenseGroup
from trainer.data.encoded import EncodedFile, ImageError, ImagePolicy, find_encoded
from trainer.data.errors import RecordError, Source
from trainer.data.gallery import image_error
from trainer.data.headers import Undecodable, size_by_header
from trainer.data.marks import is_structured, spoken
from trainer.data.pictures import PictureRule
from trainer.data.places import Canvas, Speech
from trainer.data.records import ChatRecord, DenseRecord, Record, WrittenRecord, images_of
from trainer.data.rendering import Renderer, Rendering
from trainer.data.room import Room
from trainer.data.shown import check_stated_size

WITHOUT_EFFECT = (  # on what a record measures
    *("train", "validation", "train_samples", "validation_samples", "format", "max_array_bytes"),
    *("workers", "prefetch_bytes", "worker_timeout_seconds", "cache_dir", "augmentation"),
    *("over_long", "bad_records", "jpeg_draft"),
)


@dataclass(frozen=True)
class MeasuredImage:
    """An image of a record, as its header says."""

    reference: str
    width: int
    height: int
    file: EncodedFile | None  # None: it lies inside the record


@dataclass(frozen=True)
class Measured:
    """What a record takes."""

    tokens: int  # visual ones included
    target_tokens: int  # that the loss counts
    patches: int
    visual_tokens: int
    images: tuple[MeasuredImage, ...]
    rendering: Rendering
    notes: tuple[str, ...]  # what would be changed on the way


@dataclass(frozen=True)
class Measuring:
    """Measures records as a checkpoint reads them; can be sent to another process."""

    renderer: Renderer
    tokenizer_json: str
    rule: PictureRule
    speech: Speech
    room: Room
    policy: ImagePolicy
    variant: str  # instruct, thinking or base
    decode: bool = False  # every picture, to be certain

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_json)

    def __getstate__(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in self.__dict__.items()
            if key not in ("_tokenizer", "identity")
        }

    @cached_property
    def identity(self) -> str:
        """A hash of all that decides what records measure, besides their files."""
        parts = [repr((self.renderer.chat, self.renderer.control.ids, self.renderer.image_place))]
        parts += [self.renderer.end_of_text, self.tokenizer_json]
        parts += [repr((self.rule, self.speech, self.room, self.policy, self.decode))]
        parts += [self.renderer.options.model_dump_json(exclude=set(WITHOUT_EFFECT))]
        parts += [f"tokenizers {tokenizers.__version__}", f"pillow {PIL.__version__}"]
        return sha256("\0".join(parts).encode()).hexdigest()

    def measure(self, record: Record | DenseGroup) -> Measured:
        """Return what a record, or a group, takes: the same numbers as those of its sample.

        A dense record is measured as a question of its own, whatever group it will be in.

        Raises:
            RecordError: As `Preprocessing.encode`, as far as headers tell; OverLong too.

        """
        source, notes = record.source, set[str]()
        images: list[MeasuredImage] | None = None
        if isinstance(record, DenseRecord | DenseGroup) or (
            isinstance(record, ChatRecord) and is_structured(record)
        ):
            parts = record.records if isinstance(record, DenseGroup) else (record,)
            images = [it for part in parts for it in self._look(part.source, images_of(part), 0)]
            record = self._written(record, images, notes)
        rendering = self.renderer.render(record)
        self.room.for_text(source, len(rendering.text), len(rendering.images))
        text_tokens, target_tokens = self._count(rendering)
        images = self._look(source, rendering.images, text_tokens, images or ())
        if not target_tokens:
            raise RecordError(source, "no token to train", "add an answer")
        patches = [self.rule.patches(image.width, image.height) for image in images]
        visual = [self.rule.visual_tokens(image.width, image.height) for image in images]
        return Measured(
            tokens=text_tokens - len(images) + sum(visual),
            target_tokens=target_tokens,
            patches=sum(patches),
            visual_tokens=sum(visual),
            images=tuple(images),
            rendering=rendering,
            notes=tuple(sorted({*notes, *rendering.notes})),
        )

    def _written(
        self,
        record: ChatRecord | DenseRecord | DenseGroup,
        images: Sequence[MeasuredImage],
        notes: set[str],
    ) -> WrittenRecord:
        """Return a record whose places in pictures are words."""
        canvases = [Canvas.of(image.width, image.height, self.rule) for image in images]
        if isinstance(record, ChatRecord):
            return spoken(record, canvases, self.speech, notes)
        dense = self.renderer.options.dense
        alone = isinstance(record, DenseRecord)
        group = DenseGroup((record,)) if isinstance(record, DenseRecord) else record
        for part, canvas in zip(group.records, canvases, strict=True):
            check_stated_size(part, (canvas.width, canvas.height))
        seen = [(it, part.objects) for it, part in zip(canvases, group.records, strict=True)]
        if alone and dense.summary_ratio:  # it may be asked for either
            asked = replace(group, summarised=True)
            conversation_about(asked, seen, self.speech, dense, set())
        return conversation_about(group, seen, self.speech, dense, notes)

    def _look(
        self,
        source: Source,
        references: Sequence[str],
        text_tokens: int,
        known: Sequence[MeasuredImage] = (),
    ) -> list[MeasuredImage]:
        """Return the sizes of images, as long as they fit beside the text.

        As in training an image is found broken only once the headers of all say that they fit.
        """
        self.room.for_tokens(source, text_tokens)
        images: list[MeasuredImage] = []
        broken: list[RecordError] = []
        visual = 0
        seen = (
            ((it, None) for it in known)
            if known
            else _each_image(source, references, self.policy, decode=self.decode)
        )
        for number, (image, problem) in enumerate(seen, start=1):
            images.append(image)
            broken += [problem] if problem else []
            visual += self.rule.visual_tokens(image.width, image.height)
            self.room.for_images(source, text_tokens - number + visual, number, len(references))
        if broken:
            raise broken[0]
        return images

    def _count(self, rendering: Rendering) -> tuple[int, int]:
        """Return the tokens of a text and how many of them the loss counts.

        The pieces are those of `tokenize_with_labels`.
        """
        pieces: list[str] = []
        position = 0
        for start, end in rendering.spans:
            pieces += (rendering.text[position:start], rendering.text[start:end])
            position = end
        pieces.append(rendering.text[position:])
        lengths = self._lengths(pieces)
        answers = sum(lengths[1::2])
        begins_with_answer = len(lengths) > 1 and lengths[0] == 0 and lengths[1] > 0
        return sum(lengths), answers - begins_with_answer

    def _lengths(self, pieces: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast(list(pieces), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]


def look_at_images(
    source: Source, references: Sequence[str], policy: ImagePolicy, *, decode: bool
) -> list[MeasuredImage]:
    """Return the sizes of the images that a record names, by their headers; raises RecordError."""
    images: list[MeasuredImage] = []
    for image, problem in _each_image(source, references, policy, decode=decode):
        if problem:
            raise problem
        images.append(image)
    return images


def _each_image(
    source: Source, references: Sequence[str], policy: ImagePolicy, *, decode: bool
) -> Iterator[tuple[MeasuredImage, RecordError | None]]:
    """Yield each image, and what is wrong behind its header; raises RecordError for the header."""
    for number, reference in enumerate(references, start=1):
        problem = None
        try:
            found = find_encoded(reference, Path(source.file).parent, policy)
            width, height = size_by_header(found, policy, decode=decode)
        except Undecodable as error:
            width, height = error.size
            found, problem = None, image_error(source, number, len(references), error)
        except ImageError as error:
            raise image_error(source, number, len(references), error) from error
        file = found if isinstance(found, EncodedFile) else None
        yield MeasuredImage(reference, width, height, file), problem
