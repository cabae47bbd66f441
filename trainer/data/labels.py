"""Turn text into token ids and labels, and make room for images."""

# T tokens, I images

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from trainer.data.samples import IGNORED


def tokenize_with_labels(
    tokenizer: Tokenizer, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return token ids and labels, int64 (T,) each; labels outside the spans are ignored.

    The text is tokenised in pieces that begin and end with the spans: when it generates, the
    model reads a finished prompt and writes the answer, so no token may cover both.
    """
    ids: list[int] = []
    labels: list[int] = []
    position = 0
    for start, end in spans:
        before = _encode(tokenizer, text[position:start])
        answer = _encode(tokenizer, text[start:end])
        ids += before + answer
        labels += [IGNORED] * len(before) + answer
        position = end
    rest = _encode(tokenizer, text[position:])
    ids += rest
    labels += [IGNORED] * len(rest)
    return np.array(ids, dtype=np.int64), np.array(labels, dtype=np.int64)


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids if text else []


def expand_images(
    ids: np.ndarray, labels: np.ndarray, image_token_id: int, visual_tokens: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and labels (T,) in which each image's placeholder is repeated for its tokens.

    Args:
        ids: Token ids with one placeholder an image.
        labels: The labels beside them.
        image_token_id: The placeholder.
        visual_tokens: How many tokens each image takes (I).

    """
    places = np.flatnonzero(ids == image_token_id)
    assert len(places) == len(visual_tokens), (len(places), len(visual_tokens))
    repeats = np.ones(len(ids), dtype=np.int64)
    repeats[places] = visual_tokens
    return np.repeat(ids, repeats), np.repeat(labels, repeats)
