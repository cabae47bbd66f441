"""The glyphs of charts: what tells curves and marks apart without colour."""

from qvl_tui.charts.data import MarkKind

MARKERS = ("●", "■", "▲", "◆", "○", "□", "△", "◇")  # one per slot
MARK_GLYPHS: dict[MarkKind, str] = {  # the first one wins where several share a place
    "non_finite": "✗",
    "alert": "⚠",
    "resume": "↻",
    "checkpoint": "▼",
    "evaluation": "◇",
}


def marker(slot: int) -> str:
    """Return the marker of a slot."""
    return MARKERS[slot % len(MARKERS)]
