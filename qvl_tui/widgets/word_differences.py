"""Where two texts differ, word by word."""

import re
from difflib import SequenceMatcher

MAX_WORDS = 600  # compared in full; the time grows with their square
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Span = tuple[int, int]  # first index and the index after the last


def differences(truth: str, answer: str) -> tuple[list[Span], list[Span]]:
    """Return the parts of the truth that are missing in the answer, and what is there instead.

    Of texts of more than MAX_WORDS words everything after the first difference counts as one.
    """
    words, others = _spans(truth), _spans(answer)
    theirs = [truth[first:last] for first, last in words]
    ours = [answer[first:last] for first, last in others]
    missing: list[Span] = []
    instead: list[Span] = []
    for first, last, other_first, other_last in _unlike(theirs, ours):
        if first < last:
            missing.append((words[first][0], words[last - 1][1]))
        if other_first < other_last:
            instead.append((others[other_first][0], others[other_last - 1][1]))
    return missing, instead


def _spans(text: str) -> list[Span]:
    return [match.span() for match in _WORDS.finditer(text)]


def _unlike(theirs: list[str], ours: list[str]) -> list[tuple[int, int, int, int]]:
    if max(len(theirs), len(ours)) <= MAX_WORDS:
        codes = SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes()
        return [places for tag, *places in codes if tag != "equal"]  # type: ignore[misc]
    pairs = enumerate(zip(theirs, ours, strict=False))
    shorter = min(len(theirs), len(ours))
    same = next((index for index, (one, other) in pairs if one != other), shorter)
    return [(same, len(theirs), same, len(ours))]
