"""What is to be seen of one record: its tokens, its pictures, and what becomes of it."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from trainer.data.objects import Kind

TokenKind = Literal["trained", "context", "image", "cut"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a record lies."""

    file: str
    line: int  # from 1
    offset: int  # byte offset in the file
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class TokenRun:
    """Tokens of one kind, one after the other."""

    kind: TokenKind
    tokens: int
    ids: tuple[int, ...]  # of an image only the one that is repeated
    pieces: tuple[str, ...]  # the text of each id; empty where a character ends in a later token
    image: int | None = None  # which image of the sample, from 1

    @property
    def text(self) -> str:
        """The pieces together."""
        return "".join(self.pieces)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many tokens a sample has, and of which kind; those beyond the limit count as cut."""

    tokens: int = 0
    trained: int = 0
    context: int = 0
    image: int = 0
    cut: int = 0


@dataclass(frozen=True, kw_only=True)
class ShownObject:
    """Something that is marked in a picture."""

    kind: Kind
    points: tuple[float, ...]  # x1, y1, x2, y2, ... in pixels of the picture it is shown on
    desc: str
    number: int  # as the record counts it, from 1
    coverage: float = 1.0  # the share of it that is still seen


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """A picture made small enough to be shown, and what is marked in it."""

    width: int  # in pixels, before it was made smaller
    height: int
    data: str  # a data URI, JPEG or PNG
    objects: tuple[ShownObject, ...] = ()  # in pixels of `width` x `height`


@dataclass(frozen=True, kw_only=True)
class ShownImage:
    """An image of a sample: as the file has it, and as the model sees it."""

    number: int  # in the sample, from 1
    record: int  # that names it, from 1
    reference: str  # shortened
    visual_tokens: int | None = None  # None: the record cannot be used
    grid: tuple[int, int, int] | None = None  # frames, rows and columns of patches
    stored: ShownPicture | None = None  # upright, in its own size
    seen: ShownPicture | None = None  # resized and augmented, put together from its patches
    applied: tuple[str, ...] = ()  # what augmentation did
    left_out: tuple[str, ...] = ()  # what it could not do, and why
    dropped: tuple[ShownObject, ...] = ()  # objects that are gone, as the file has them
    problem: str | None = None  # why there is no picture


@dataclass(frozen=True, kw_only=True)
class Group:
    """The question that dense records are dealt into."""

    mode: Literal["dense", "summary"]
    records: tuple[int, ...]  # their numbers, from 1


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Where in the order of an epoch a sample is trained, and how much padding it gets there."""

    step: int  # the optimizer step, from 1
    micro_batch: int  # of the step, from 1
    samples: int  # beside each other, this one included
    padding: int  # tokens that fill this sample up to the longest


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """One record as training reads it in an epoch."""

    split: str
    record: int  # its number in the split, from 1
    records: int  # that the split has
    epoch: int | None  # from 0; None: of validation
    format: str
    place: Place
    problem: str | None  # why it is not trained, in the words of the training; None: it is
    refused: bool  # whether the problem would end the run
    notes: tuple[str, ...]  # what is changed on the way
    max_length: int
    counts: Counts
    runs: tuple[TokenRun, ...]  # empty: the record cannot be read
    images: tuple[ShownImage, ...]
    group: Group | None = None
    batch: Batch | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


@cache
def _reader() -> TypeAdapter[Inspection]:
    return TypeAdapter(Inspection)


def read_inspection(value: object) -> Inspection:
    """Return the inspection that `as_json` wrote; raises ValueError for anything else."""
    return _reader().validate_python(value)
