"""What is looked at in the charts, in a few words."""

from qvl_tui.charts.data import ChartData, View, XAxis
from qvl_tui.charts.glyphs import MARK_GLYPHS
from qvl_tui.charts.ticks import x_label

AXIS_WORDS: dict[XAxis, str] = {
    "step": "step",
    "epoch": "epoch",
    "samples": "samples",
    "target_tokens": "target tokens",
    "elapsed": "training time",
    "clock": "clock",
}
MOST_MARKS = 3


def view_phrase(view: View, smoothing: float) -> str:
    """Return x-axis, smoothing and which part of the run is seen: `step · smoothed 0.9`."""
    words = [AXIS_WORDS[view.x_axis], f"smoothed {smoothing:g}" if smoothing else "raw"]
    if not view.follows:
        words.append("end follows")
    elif view.x_min is not None:
        words.append("0 whole run")
    return " · ".join(words)


def cursor_phrase(view: View, data: ChartData, reach: float) -> str:
    """Return where the cursor is, and what happened no further than `reach` from it."""
    if view.cursor is None:
        return ""
    at = view.cursor
    near = [mark for mark in data.marks if abs(mark.x - at) <= reach]
    near.sort(key=lambda mark: abs(mark.x - at))
    words = [f"{AXIS_WORDS[view.x_axis]} {x_label(at, view.x_axis)}"]
    words += [f"{MARK_GLYPHS[mark.kind]} {mark.label}" for mark in near[:MOST_MARKS]]
    return " · ".join(words)
