"""Measure records where no checkpoint is at hand: pictures by the rule, text by its bytes."""

import dataclasses
from dataclasses import dataclass
from hashlib import sha256

import PIL

from trainer.config.schema import DataConfig
from trainer.data.encoded import ImageError, ImagePolicy
from trainer.data.errors import OverLong
from trainer.data.measuring import WITHOUT_EFFECT, Measured, image_error, look_at_image
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.records import Record, images_of
from trainer.data.rendering import Rendering
from trainer.forecast.records import text_tokens


@dataclass(frozen=True)
class Estimating:
    """Stands in for Measuring; its text tokens are about right."""

    options: DataConfig
    rule: PictureRule
    speech: Speech
    variant: str
    decode: bool = False

    @property
    def identity(self) -> str:
        """A hash of all that decides what records measure, besides their files."""
        options = self.options.model_dump_json(exclude=set(WITHOUT_EFFECT))
        parts = [repr((self.rule, self.speech, self.variant, self.decode)), options]
        return sha256("\0".join((*parts, f"pillow {PIL.__version__}")).encode()).hexdigest()

    def measure(self, record: Record) -> Measured:
        """Return about what a record takes.

        Raises:
            RecordError: An image cannot be used, or images alone take too many tokens.

        """
        policy = ImagePolicy(self.options.max_source_pixels, self.options.allow_remote)
        images = []
        references = images_of(record)
        for number, reference in enumerate(references, start=1):
            try:
                images.append(look_at_image(record.source, reference, policy, decode=self.decode))
            except ImageError as error:
                raise image_error(record.source, number, len(references), error) from error
        visual = sum(self.rule.visual_tokens(it.width, it.height) for it in images)
        if visual > self.options.max_length:
            what = f"{visual} visual tokens, data.max_length is {self.options.max_length}"
            raise OverLong(record.source, what, "raise it or lower data.max_pixels")
        text, answer = text_tokens(record, with_thinking=self.options.thinking == "include")
        return Measured(
            tokens=visual + text,
            target_tokens=answer,
            patches=sum(self.rule.patches(it.width, it.height) for it in images),
            visual_tokens=visual,
            images=tuple(images),
            rendering=Rendering(_words(record), ()),
            notes=(),
        )


def _words(record: Record) -> str:
    """A record's own words, without its place: what tells it from another."""
    fields = dataclasses.fields(record)
    return repr([getattr(record, it.name) for it in fields if it.name not in ("source", "images")])
