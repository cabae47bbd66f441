"""Shares drawn as characters: progress lines, bars and histories."""

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"  # of a cell, from the left
_LEVELS = "▁▂▃▄▅▆▇█"  # from below


def progress_line(share: float, width: int) -> tuple[str, str]:
    """Return what is done and what is left as `━━━╸` and `──────`, `width` cells together."""
    halves = round(_within_one(share) * width * 2)
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return done, "─" * (width - len(done))


def bar(share: float | None, width: int) -> str:
    """Return a bar of at most `width` cells, padded with blanks; blank for the unknown."""
    if share is None:
        return " " * width
    eighths = round(_within_one(share) * width * 8)
    part = _EIGHTHS[eighths % 8] if eighths % 8 else ""
    return ("█" * (eighths // 8) + part).ljust(width)


def history(shares: Sequence[float | None]) -> str:
    """Return a cell per share, as high as it is; a blank for the unknown."""
    return "".join(" " if share is None else _level(share) for share in shares)


def _level(share: float) -> str:
    return _LEVELS[min(int(_within_one(share) * len(_LEVELS)), len(_LEVELS) - 1)]


def _within_one(share: float) -> float:
    return max(0.0, min(share, 1.0))
