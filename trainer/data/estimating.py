"""Estimate what a record takes without its checkpoint: pictures by the rule, text by its bytes."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import PIL

from trainer.config.schema import DataConfig
from trainer.data.encoded import ImagePolicy
from trainer.data.errors import OverLong
from trainer.data.measuring import WITHOUT_EFFECT, Measured, look_at_images
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.records import ChatRecord, DenseRecord, PromptRecord, Record, images_of
from trainer.data.rendering import Rendering

BYTES_PER_TOKEN = 3  # of UTF-8 text; English has 4, Chinese between 2 and 3
TOKENS_PER_TURN = 6  # that the chat template puts around a message


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
        return self.measure_with(record, images_of(record))

    def measure_with(self, record: Record, references: Sequence[str]) -> Measured:
        """Return about what a record takes with these images; raises as `measure`."""
        room = self.options.max_length
        if len(references) > room:
            raise self._over_long(record, f"{len(references)} images, a token each at least")
        policy = ImagePolicy(self.options.max_source_pixels, self.options.allow_remote)
        images = look_at_images(record.source, references, policy, decode=self.decode)
        visual = sum(self.rule.visual_tokens(it.width, it.height) for it in images)
        if visual > room:
            raise self._over_long(record, f"{visual} visual tokens")
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

    def _over_long(self, record: Record, what: str) -> OverLong:
        what = f"{what}, data.max_length is {self.options.max_length}"
        return OverLong(record.source, what, "raise it or lower data.max_pixels")


def _words(record: Record) -> str:
    """A record's own words, without its place: what tells it from another."""
    fields = dataclasses.fields(record)
    return repr([getattr(record, it.name) for it in fields if it.name not in ("source", "images")])


def text_tokens(record: Record, *, with_thinking: bool) -> tuple[int, int]:
    """Return about how many tokens of text a record has, and how many of them are trained."""
    if isinstance(record, PromptRecord):
        answer = _tokens(record.response)
        return _tokens(record.prompt) + answer, answer
    if isinstance(record, DenseRecord):
        written = [(it.desc, it.shape.points) for it in record.objects]
        answer = max(_tokens(str(written)), _tokens(record.summary or ""))
        return answer + 2 * TOKENS_PER_TURN, answer
    if not isinstance(record, ChatRecord):
        return _tokens(record.text), _tokens(record.text)
    thinking = (record.thinking or "") if with_thinking else ""
    answer = _tokens((record.response or "") + thinking)
    context = _tokens(str(record.tools)) if record.tools else 0
    for message in record.messages:
        tokens = _tokens(_text_of(message["content"])) + TOKENS_PER_TURN
        if message["role"] == "assistant":
            answer += tokens
        else:
            context += tokens
    return context + answer + TOKENS_PER_TURN, answer


def _text_of(content: str | list[dict[str, str]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
