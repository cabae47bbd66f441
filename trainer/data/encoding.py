"""Turn records into samples exactly as the checkpoint reads them, without torch."""

# T tokens, P patches, D values a patch, I images

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from trainer.config.schema import DataConfig
from trainer.data.cutting import Cutting
from trainer.data.dense.group import DenseGroup
from trainer.data.encoded import ImagePolicy
from trainer.data.errors import RecordError
from trainer.data.gallery import Gallery, Grid, KeptImages, Picture
from trainer.data.labels import expand_images, tokenize_with_labels
from trainer.data.measuring import Measuring
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.positions import rope_positions
from trainer.data.records import Record
from trainer.data.rendering import Renderer, Rendering
from trainer.data.room import Room
from trainer.data.samples import IGNORED, Sample
from trainer.data.shown import Shown, Wording, show
from trainer.data.variation import OBJECT_DROPPED, Variation


@dataclass(frozen=True, eq=False)
class Question:
    """A record without its last answer, as the model is asked when it generates."""

    sample: Sample  # ends with the generation prompt; nothing is labelled
    prompt: str
    truth: str  # the answer as the template renders it, after the generation prompt


@dataclass(frozen=True, eq=False, kw_only=True)
class Encoder:
    """A checkpoint's tokens, chat template and pictures under the run's options.

    Can be sent to another process, which then needs neither torch nor a model's code: that would
    take a data worker five seconds and 200 MB.
    """

    backend_tokenizer: Tokenizer  # without padding and truncation
    cutting: Cutting
    renderer: Renderer
    image_token_id: int
    pad_id: int  # fills the positions after a sample
    options: DataConfig
    model_type: str

    @property
    def variant(self) -> str:
        """The kind of checkpoint: instruct, thinking or base."""
        if self.renderer.chat is None:
            return "base"
        return "thinking" if self.renderer.chat.forces_reasoning else "instruct"

    @cached_property
    def room(self) -> Room:
        """How long a sample may be."""
        return Room(self.options.max_length, max(map(len, self.backend_tokenizer.get_vocab())))

    @property
    def picture_rule(self) -> PictureRule:
        """How many patches and visual tokens an image becomes."""
        return self.cutting.rule

    @cached_property
    def image_policy(self) -> ImagePolicy:
        """What images may be read."""
        return ImagePolicy(self.options.max_source_pixels, self.options.allow_remote)

    @cached_property
    def speech(self) -> Speech:
        """How the checkpoint names places in pictures."""
        return Speech.of(self.model_type, self.options)

    def measuring(self, *, decode: bool = False) -> Measuring:
        """Return what measures records as `encode` makes them.

        `decode` decodes every picture, to be certain that it can be.
        """
        return Measuring(
            renderer=self.renderer,
            tokenizer_json=self.backend_tokenizer.to_str(),
            rule=self.picture_rule,
            speech=self.speech,
            room=self.room,
            policy=self.image_policy,
            variant=self.variant,
            decode=decode,
        )

    def encode(
        self,
        record: Record | DenseGroup,
        variation: Variation | None = None,
        kept: KeptImages | None = None,
    ) -> Sample:
        """Return a record, or a group of dense ones, as token ids, labels and patches.

        With a variation its pictures are changed first, and what is marked in them with them. With
        `kept` the images get keys, and those that are kept come without patches.

        Raises:
            RecordError: The record cannot be used; OverLong when it has too many tokens. Of a
                group, the error's source is the record at fault.

        """
        gallery = self._gallery(None if variation else kept)
        shown = self._show(record, gallery, variation)
        sample = self._encode(shown, self.renderer.render(shown.record), gallery)
        if sample.target_tokens == 0:
            raise RecordError(record.source, "no token to train", "add an answer")
        return sample

    def question(self, record: Record | DenseGroup) -> Question:
        """Return a record as the question that its last answer is for.

        Raises:
            RecordError: As `encode`.

        """
        gallery = self._gallery(None)
        shown = self._show(record, gallery)
        rendering, truth = self.renderer.question(shown.record)
        return Question(self._encode(shown, rendering, gallery), rendering.text, truth)

    def _gallery(self, kept: KeptImages | None) -> Gallery:
        draft = self.options.jpeg_draft
        return Gallery(self.image_policy, self.picture_rule, self.room, kept, draft)

    def _show(
        self, record: Record | DenseGroup, gallery: Gallery, variation: Variation | None = None
    ) -> Shown:
        wording = Wording(self.picture_rule, self.speech, self.options.dense)
        return show(record, gallery, wording, variation)

    def _encode(self, shown: Shown, rendering: Rendering, gallery: Gallery) -> Sample:
        source = shown.record.source
        self.room.for_text(source, len(rendering.text), len(rendering.images))
        ids, labels = tokenize_with_labels(self.backend_tokenizer, rendering.text, rendering.spans)
        labels[:1] = IGNORED  # nothing comes before the first token that could predict it
        pictures = shown.pictures
        if pictures is None:
            pictures = gallery.look(source, rendering.images, len(ids))
        else:
            self._check_room(shown, pictures, len(ids))
        cut = [self._cut(picture) for picture in pictures]
        grids = [grid for _, grid in cut]
        unit = self.picture_rule.merge**2
        visual_tokens = [math.prod(grid) // unit for grid in grids]
        ids, labels = expand_images(ids, labels, self.image_token_id, visual_tokens)
        patches = [piece for piece, _ in cut if piece is not None]
        kinds = (ids == self.image_token_id).astype(np.int64)
        return Sample(
            sources=shown.sources,
            input_ids=ids,
            labels=labels,
            mm_token_type_ids=kinds,
            patches=np.concatenate(patches) if patches else None,
            image_grid_thw=np.array(grids, dtype=np.int64) if grids else None,
            rope=rope_positions(kinds, grids, self.picture_rule.merge),
            image_keys=gallery.keys(pictures),
            patched=tuple(piece is not None for piece, _ in cut),
            notes=(*sorted({*shown.notes, *rendering.notes}), *[OBJECT_DROPPED] * shown.dropped),
        )

    def _check_room(self, shown: Shown, pictures: Sequence[Picture], text_tokens: int) -> None:
        """Raise OverLong for pictures that do not fit beside the text."""
        source, visual_tokens = shown.record.source, 0
        self.room.for_tokens(source, text_tokens)
        for number, picture in enumerate(pictures, start=1):
            visual_tokens += self.picture_rule.visual_tokens(*picture.size)
            tokens = text_tokens - number + visual_tokens
            self.room.for_images(source, tokens, number, len(pictures))

    def _cut(self, picture: Picture) -> tuple[np.ndarray | None, Grid]:
        """Patches (P, D) as uint8 and the grid; no patches of a picture without pixels."""
        if picture.pixels is None:
            assert picture.grid is not None
            return None, picture.grid
        return self.cutting.patches(picture.pixels, picture.size)
