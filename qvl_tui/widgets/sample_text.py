"""Say how a model answered a validation record, next to the truth."""

import re
from collections.abc import Sequence
from pathlib import Path

from textual.content import Content

from qvl_tui.widgets.cells import cells_of, cut, displayable
from qvl_tui.widgets.word_differences import Span, differences
from trainer.run.events import SamplePrediction
from trainer.run.text import sanitise
from trainer.words.lines import is_exact
from trainer.words.numbers import count

TEXT_CHARACTERS = 4_000
FOLDED_CHARACTERS = 240
NAME_CHARACTERS = 80
MUTED = "$foreground 60%"
_CONTROL_TOKEN = re.compile(r"<\|[^|<>]{1,40}\|>")
_TURN = re.compile(_CONTROL_TOKEN.pattern + r"([a-z]{1,20})\n")  # where somebody begins to speak


def verdict(sample: SamplePrediction) -> tuple[str, str]:
    """Return glyph and word for an answer, and their colour."""
    return ("✓ exact", "$text-success") if is_exact(sample) else ("≠ differs", "$text-warning")


def place(sample: SamplePrediction) -> str:
    """Return `validation.jsonl:12`."""
    return f"{sanitise(Path(sample.file).name, NAME_CHARACTERS)}:{sample.line}"


def list_row(sample: SamplePrediction, width: int, *, chosen: bool) -> Content:
    """Return one sample in one row of at most `width` cells."""
    said, colour = verdict(sample)
    bar = "▌ " if chosen else "  "
    answer = sanitise(" ".join(sample.answer.split()), FOLDED_CHARACTERS)
    text = displayable(f"  {place(sample)}  {answer}")
    room = max(width - len(bar) - 1, 1)
    if cells_of(text) > room:
        text = text[: cut(text, 0, room - 1)[1]] + "…"
    row = Content.assemble((bar, "$accent"), (said[0], colour), text)
    return row.stylize("bold") if chosen else row


def sample_text(
    sample: SamplePrediction, earlier: Sequence[SamplePrediction], *, unfolded: bool, history: bool
) -> Content:
    """Return everything there is to say about a sample, in paragraphs."""
    said, colour = verdict(sample)
    head = Content.assemble(
        (said, colour),
        f"  {place(sample)}",
        (f"  {count(sample.new_tokens)} tokens", MUTED),
    )
    paragraphs = [head, *_compared(sample), *_reasoning(sample, unfolded=unfolded)]
    paragraphs.append(_prompt(sample.prompt, unfolded=unfolded))
    if history:
        paragraphs += _history(earlier)
    return Content("\n").join(paragraphs)


def _compared(sample: SamplePrediction) -> list[Content]:
    truth = sanitise(sample.truth.strip("\n"), TEXT_CHARACTERS, keep_newlines=True)
    answer = sanitise(sample.answer.strip("\n"), TEXT_CHARACTERS, keep_newlines=True)
    missing, instead = differences(truth, answer)
    return [
        _labelled("truth", _marked(truth, missing, "underline $text-success")),
        _labelled("model", _marked(answer or "(nothing)", instead, "bold underline $text-error")),
    ]


def _labelled(label: str, text: Content) -> Content:
    return Content.assemble((f"{label}  ", MUTED), text)


def _marked(text: str, spans: Sequence[Span], style: str) -> Content:
    content = Content(text)
    for first, last in spans:
        content = content.stylize(style, first, last)
    return content


def _reasoning(sample: SamplePrediction, *, unfolded: bool) -> list[Content]:
    if not sample.reasoning:
        return []
    if not unfolded:
        size = count(len(sample.reasoning))
        return [Content.styled(f"▸ reasoning, {size} characters", MUTED)]
    text = sanitise(sample.reasoning, TEXT_CHARACTERS, keep_newlines=True)
    return [Content.styled("▾ reasoning", MUTED), Content.styled(text, "italic")]


def _prompt(prompt: str, *, unfolded: bool) -> Content:
    if unfolded:
        text = sanitise(prompt.strip("\n"), TEXT_CHARACTERS, keep_newlines=True)
        spans = [match.span() for match in _CONTROL_TOKEN.finditer(text)]
        return _labelled("prompt", _marked(text, spans, MUTED))
    bare = _spoken(prompt)
    start = max(len(bare) - FOLDED_CHARACTERS, 0)  # the question is at its end
    shown = ("…" if start else "") + bare[start:]
    text = sanitise(shown, FOLDED_CHARACTERS + 1)
    return _labelled("prompt", Content.styled(text, MUTED))


def _spoken(prompt: str) -> str:
    """Return what was said without control tokens; who said it, where it was not the user alone."""
    first, *rest = (" ".join(_CONTROL_TOKEN.sub(" ", it).split()) for it in _TURN.split(prompt))
    turns = [(who, said) for who, said in zip(rest[::2], rest[1::2], strict=True) if said]
    if first or [who for who, _ in turns] != ["user"]:
        return " ".join([first, *(f"{who}: {said}" for who, said in turns)]).strip()
    return turns[0][1]


def _history(earlier: Sequence[SamplePrediction]) -> list[Content]:
    if not earlier:
        return [Content.styled("no earlier evaluation answered it", MUTED)]
    return [Content.styled("earlier", MUTED), *map(_history_row, earlier)]


def _history_row(sample: SamplePrediction) -> Content:
    said, colour = verdict(sample)
    answer = sanitise(" ".join(sample.answer.split()), FOLDED_CHARACTERS)
    return Content.assemble(f"step {count(sample.step)}  ", (said[0], colour), f" {answer}")
