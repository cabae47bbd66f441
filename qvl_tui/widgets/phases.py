"""What a phase such as loading or saving is at, in words and as a share."""

from trainer.run.events import Phase
from trainer.run.text import sanitise
from trainer.words.lines import PHASE_WORDS
from trainer.words.numbers import count, size

DETAIL_CHARACTERS = 60


def phase_word(phase: Phase) -> str:
    """Return what the phase does, with the file or part it is at."""
    detail = sanitise(phase.detail, DETAIL_CHARACTERS)
    return f"{PHASE_WORDS[phase.name]} ({detail})" if detail else PHASE_WORDS[phase.name]


def phase_counts(phase: Phase) -> str:
    """Return `412/625 tensors`; empty where nothing is counted."""
    show = size if phase.unit == "bytes" else count
    unit = "" if phase.unit == "bytes" else f" {sanitise(phase.unit, DETAIL_CHARACTERS)}"
    if phase.total:
        return f"{show(phase.done)}/{show(phase.total)}{unit}".rstrip()
    return f"{show(phase.done)}{unit}".rstrip() if phase.done else ""


def phase_share(phase: Phase) -> float | None:
    """Return how much is done, 0 to 1; None where the end is not known."""
    return phase.done / phase.total if phase.total else None
