"""Say in words what is to be seen of a record."""

from collections.abc import Iterator
from pathlib import PurePath

from trainer.inspect.inspection import Inspection, ShownImage, ShownObject, TokenKind, TokenRun
from trainer.run.text import sanitise
from trainer.words.numbers import count

LINE_END = "↵"
WHOLE = 0.995  # rounding cuts off a hair
MEANINGS: dict[TokenKind, str] = {
    "trained": "the loss counts it",
    "context": "only read",
    "image": "a visual token",
    "cut": "beyond the longest sample",
}
BRACKETS: dict[TokenKind, tuple[str, str]] = {  # where there are no colours
    "trained": ("⟦", "⟧"),
    "context": ("", ""),
    "image": ("", ""),
    "cut": ("⟨", "⟩"),
}
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_CONTROLS = _PICTURES | {code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)}


def visible(text: str) -> str:
    """Return text of which nothing is hidden: line ends as `↵`, controls as their pictures.

    Fit for terminals; nothing of the text is left out.
    """
    return sanitise(text.translate(_CONTROLS), None, keep_newlines=True).replace(
        "\n", f"{LINE_END}\n"
    )


def one_line(text: str, characters: int) -> str:
    """Return text in a line of its own."""
    return sanitise(text.translate(_CONTROLS), characters)


def heading(seen: Inspection) -> str:
    """Return where the record lies and what it is."""
    place = seen.place
    name = one_line(PurePath(place.file).name, 120)
    words = [f"{name}:{place.line}", f"record {count(seen.record)} of {count(seen.records)}"]
    words += [seen.split, seen.format]
    if seen.epoch is not None:
        words.append(f"epoch {seen.epoch}")
    return " · ".join(words)


def bytes_words(seen: Inspection) -> str:
    """Return where in its file the record lies."""
    place = seen.place
    return (
        f"bytes {place.offset} to {place.offset + place.size_bytes} of {one_line(place.file, 300)}"
    )


def verdict(seen: Inspection) -> tuple[str, str]:
    """Return a glyph and what training does with the record."""
    if seen.problem is None:
        return "✓", "trained" if seen.split == "train" else "validated"
    fate = "ends the run" if seen.refused else "skipped"
    return "✗", f"{fate}: {one_line(seen.problem, 600)}"


def counts_words(seen: Inspection) -> str:
    """Return how many tokens there are of each kind."""
    counts = seen.counts
    kinds = [(counts.trained, "trained"), (counts.context, "context"), (counts.image, "image")]
    if counts.cut:
        kinds.append((counts.cut, "too many"))
    told = " · ".join(f"{count(number)} {kind}" for number, kind in kinds)
    return f"{count(counts.tokens)} tokens: {told} · at most {count(seen.max_length)}"


def remarks(seen: Inspection) -> Iterator[str]:
    """Yield what else is to be said: the group, its place in the epoch, what is changed."""
    if seen.group is not None:
        wanted = "summaries" if seen.group.mode == "summary" else "objects"
        members = ", ".join(map(count, seen.group.records))
        together = f"of records {members} together" if seen.group.records[1:] else "of this record"
        yield f"asked for the {wanted} {together}"
    if seen.batch is not None:
        batch = seen.batch
        beside = count(batch.samples - 1)
        place = f"step {count(batch.step)}, micro-batch {batch.micro_batch}"
        padded = f": {beside} beside it, padding {count(batch.padding)}"
        yield place + (padded if batch.samples > 1 else "")
    yield from (f"~ {one_line(note, 300)}" for note in seen.notes)


def image_words(image: ShownImage) -> str:
    """Return which image it is, and what the model gets of it."""
    words = f"image {image.number}  {one_line(image.reference, 100)}"
    if image.stored is not None:
        words += f"  {image.stored.width} x {image.stored.height}"
    if image.seen is not None:
        words += f" → {image.seen.width} x {image.seen.height}"
    if image.visual_tokens is not None:
        words += f", {count(image.visual_tokens)} tokens"
    if image.grid is not None:
        frames, rows, columns = image.grid
        words += f" (patches {frames} x {rows} x {columns})"
    if image.problem:
        words += f"  ✗ {one_line(image.problem, 300)}"
    return words


def augmentation_words(image: ShownImage) -> Iterator[str]:
    """Yield what augmentation did to an image, and to what is marked in it."""
    if image.applied:
        yield f"augmented: {one_line('; '.join(image.applied), 600)}"
    if image.left_out:
        yield f"left out: {one_line('; '.join(image.left_out), 600)}"
    if image.dropped:
        gone = len(image.dropped)
        yield f"{count(gone)} {'object' if gone == 1 else 'objects'} dropped"


def object_words(marked: ShownObject) -> str:
    """Return one object."""
    numbers = ", ".join(f"{number:.0f}" for number in marked.points)
    covered = "" if marked.coverage > WHOLE else f"  {marked.coverage:.0%} seen"
    return f"{marked.number} {marked.kind} [{numbers}] {one_line(marked.desc, 200)}{covered}"


def run_words(run: TokenRun) -> str:
    """Return the tokens of an image as one word."""
    return f"[image {run.image}: {count(run.tokens)} tokens]"
