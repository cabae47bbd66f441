"""Take a sample apart into tokens, each with its text and its meaning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from trainer.data.samples import IGNORED, Sample
from trainer.inspect.inspection import Counts, TokenKind, TokenRun

UNFINISHED = "\ufffd"  # stands for a character whose last bytes are missing


@dataclass(frozen=True)
class Token:
    """One position of a sample."""

    id: int
    kind: TokenKind
    piece: str
    image: int | None  # from 1


def token_runs(
    sample: Sample, tokenizer: Tokenizer, visual_tokens: Sequence[int], max_length: int
) -> tuple[TokenRun, ...]:
    """Return a sample's tokens; those from `max_length` on are cut, whatever they were.

    Args:
        sample: As it is trained.
        tokenizer: What made its ids.
        visual_tokens: How many tokens each image takes.
        max_length: In tokens.

    """
    tokens = _tokens(sample, tokenizer, visual_tokens, max_length)
    return tuple(_run(list(run)) for _, run in groupby(tokens, key=lambda it: (it.kind, it.image)))


def count_tokens(runs: Sequence[TokenRun]) -> Counts:
    """Return how many tokens there are of each kind."""
    totals = {"trained": 0, "context": 0, "image": 0, "cut": 0}
    for run in runs:
        totals[run.kind] += run.tokens
    return Counts(tokens=sum(totals.values()), **totals)


def _run(tokens: list[Token]) -> TokenRun:
    shown = tokens[:1] if tokens[0].image is not None else tokens
    return TokenRun(
        kind=tokens[0].kind,
        tokens=len(tokens),
        ids=tuple(token.id for token in shown),
        pieces=tuple(token.piece for token in shown),
        image=tokens[0].image,
    )


def _tokens(
    sample: Sample, tokenizer: Tokenizer, visual_tokens: Sequence[int], max_length: int
) -> Iterator[Token]:
    images = np.repeat(np.arange(1, len(visual_tokens) + 1), visual_tokens).tolist()
    is_image = sample.mm_token_type_ids != 0
    trained = sample.labels != IGNORED
    pieces = _pieces(sample.input_ids.tolist(), is_image.tolist(), tokenizer)
    next_image = iter(images)
    for position, piece in enumerate(pieces):
        image = next(next_image) if is_image[position] else None
        kind: TokenKind = "image" if image else "trained" if trained[position] else "context"
        if position >= max_length:
            kind = "cut"
        yield Token(int(sample.input_ids[position]), kind, piece, image)


def _pieces(ids: list[int], is_image: list[bool], tokenizer: Tokenizer) -> list[str]:
    """The text of every token; that of a character in several tokens stands at its last one."""
    pieces: list[str] = []
    for image, stretch in groupby(zip(ids, is_image, strict=True), key=lambda it: it[1]):
        numbers = [number for number, _ in stretch]
        if image:
            pieces += [tokenizer.id_to_token(numbers[0]) or UNFINISHED] * len(numbers)
            continue
        stream = DecodeStream(skip_special_tokens=False)
        decoded = [stream.step(tokenizer, number) for number in numbers]
        if decoded[-1] is None:
            decoded[-1] = UNFINISHED
        pieces += [piece or "" for piece in decoded]
    return pieces
