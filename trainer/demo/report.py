"""Hold a trained model's answers about shapes against the truth."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ShapesScore:
    """How many answers were right, out of all."""

    color_and_shape: int
    box: int
    total: int

    @property
    def color_and_shape_share(self) -> float:
        """Answers with colour and shape both exactly right, 0 to 1; 0 without answers."""
        return self.color_and_shape / self.total if self.total else 0.0

    @property
    def box_share(self) -> float:
        """Answers whose box is exactly right, 0 to 1; 0 without answers."""
        return self.box / self.total if self.total else 0.0


def read_answer(text: str) -> dict[str, Any] | None:
    """The first JSON object in the text, whatever stands around it; None where there is none."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            answer, _ = decoder.raw_decode(text, start)
        except ValueError:
            start = text.find("{", start + 1)
            continue
        return answer
    return None


def score_answers(pairs: Iterable[tuple[str, str]]) -> ShapesScore:
    """The counts over pairs of a model's text and the true answer.

    A text without a JSON object counts as wrong. Raises ValueError when a true answer has none.
    """
    color_and_shape = box = total = 0
    for said, true in pairs:
        answer, truth = read_answer(said) or {}, read_answer(true)
        if truth is None:
            raise ValueError(
                f"true answer {true!r} holds no JSON object; give the record's response"
            )
        total += 1
        color_and_shape += _agree(answer, truth, "color") and _agree(answer, truth, "shape")
        box += _agree(answer, truth, "bbox_2d")
    return ShapesScore(color_and_shape=color_and_shape, box=box, total=total)


def _agree(answer: dict[str, Any], truth: dict[str, Any], key: str) -> bool:
    return key in truth and answer.get(key) == truth[key]
