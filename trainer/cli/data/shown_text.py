"""Write an inspected record for a terminal, told with and without colours."""

from rich.text import Text

from trainer.inspect.inspection import Inspection, TokenKind, TokenRun
from trainer.inspect.words import (
    BRACKETS,
    MEANINGS,
    augmentation_words,
    bytes_words,
    counts_words,
    heading,
    image_words,
    object_words,
    one_line,
    remarks,
    run_words,
    verdict,
    visible,
)

# Of the sixteen colours that every terminal has.
STYLES: dict[TokenKind, str] = {
    "trained": "bold green",
    "context": "",
    "image": "cyan",
    "cut": "red strike",
}
RULE = "─" * 72


def record_text(seen: Inspection, *, plain: bool) -> Text:
    """Return everything there is to say of a record.

    `plain` puts brackets where colours would stand.
    """
    glyph, said = verdict(seen)
    text = Text(f"{heading(seen)}\n", "bold")
    text.append(f"{bytes_words(seen)}\n", "dim")
    text.append(f"{glyph} {said}\n", "red" if seen.problem else "green")
    if seen.runs:
        text.append(f"{counts_words(seen)}\n", "not bold")
    for remark in remarks(seen):
        text.append(f"{remark}\n", "yellow")
    _append_images(text, seen)
    if seen.runs:
        text.append(f"{RULE}\n", "dim")
        for run in seen.runs:
            _append_run(text, run, plain=plain)
        text.append(f"\n{RULE}\n", "dim")
        _append_legend(text, seen, plain=plain)
    return text


def _append_images(text: Text, seen: Inspection) -> None:
    for image in seen.images:
        text.append(f"{image_words(image)}\n")
        for line in augmentation_words(image):
            text.append(f"  {line}\n", "yellow")
        shown = image.seen or image.stored
        for marked in shown.objects if shown else ():
            text.append(f"  {object_words(marked)}\n")
        for marked in image.dropped:
            text.append(f"  dropped: {object_words(marked)}\n", "yellow")


def _append_run(text: Text, run: TokenRun, *, plain: bool) -> None:
    words = run_words(run) if run.image is not None else visible(run.text)
    before, after = BRACKETS[run.kind] if plain else ("", "")
    text.append(f"{before}{words}{after}", STYLES[run.kind])


def _append_legend(text: Text, seen: Inspection, *, plain: bool) -> None:
    there = {run.kind for run in seen.runs}
    for kind, meaning in MEANINGS.items():
        if kind in there:
            before, after = BRACKETS[kind] if plain else ("", "")
            text.append(f"{before}{kind}{after}", STYLES[kind])
            text.append(f" {meaning}   ", "dim")
    text.append("\n")


def token_table(seen: Inspection) -> Text:
    """Return one line for every token: position, id, kind, text."""
    text = Text(f"{heading(seen)}\n", "bold")
    glyph, said = verdict(seen)
    text.append(f"{glyph} {said}\n", "red" if seen.problem else "green")
    position = 0
    for run in seen.runs:
        if run.image is not None:
            last = position + run.tokens - 1
            text.append(f"{position:>6}–{last:<6} {run.ids[0]:>7}  {run.kind:<8} ")
            text.append(f"{run_words(run)}\n", STYLES[run.kind])
            position += run.tokens
            continue
        for id_, piece in zip(run.ids, run.pieces, strict=True):
            text.append(f"{position:>6} {'':6} {id_:>7}  {run.kind:<8} ")
            text.append(f"{one_line(repr(piece), 200)}\n", STYLES[run.kind])
            position += 1
    return text
