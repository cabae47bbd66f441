"""One line of a log as segments."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from qvl_tui.widgets.cells import cells_of
from qvl_tui.widgets.log_lines import LogLine

GUTTER_CELLS = 10  # `21:04:11  `
CONSOLE_GUTTER = "       │  "
EDGE = "›"
KIND_OF_GLYPH = {
    "✓": "good",
    "●": "good",
    "⚠": "warning",
    "…": "warning",
    "◐": "warning",
    "✗": "bad",
    "⚡": "bad",
}


@dataclass(frozen=True)
class LineStyles:
    """What the parts of a line look like."""

    base: Style
    gutter: Style
    text: Style
    match: Style  # goes on top of the text's


def foreground(style: Style) -> Style:
    """Return a style without its background."""
    return Style(
        color=style.color,
        bold=style.bold or None,
        italic=style.italic or None,
        underline=style.underline or None,
    )


def kind_of(line: LogLine) -> str:
    """Return the name of a line's style; empty for the plain one."""
    if line.origin == "event":
        return KIND_OF_GLYPH.get(line.text[:1], "")
    return line.origin


def plain(line: LogLine) -> str:
    """Return a line as it is copied."""
    return f"{line.clock}  {line.text}" if line.clock else line.text


def gutter(line: LogLine, styles: LineStyles, *, first: bool) -> Segment:
    """Return what stands before the text: the time of day, or a bar beside what was printed."""
    if line.origin == "console":
        return Segment(CONSOLE_GUTTER, styles.gutter)
    return Segment((line.clock if first else "").ljust(GUTTER_CELLS), styles.gutter)


def text_segments(
    text: str, part: tuple[int, int, int], matches: Iterable[tuple[int, int]], styles: LineStyles
) -> list[Segment]:
    """Return a part of a text, given by first index, end and blanks before, with its matches."""
    begin, end, blank = part
    segments = [Segment(" " * blank, styles.base)] if blank else []
    match_style = styles.text + styles.match
    for first, last in matches:
        found, found_end = max(first, begin), min(last, end)
        if found < found_end and _cuts_evenly(text, begin, found, found_end, end):
            segments.append(Segment(text[begin:found], styles.text))
            segments.append(Segment(text[found:found_end], match_style))
            begin = found_end
    return [*segments, Segment(text[begin:end], styles.text)]


def with_edge(strip: Strip, styles: LineStyles) -> Strip:
    """Return a row that says in its last cell that the line goes on to the right."""
    row = strip.crop(0, strip.cell_length - 1)
    return Strip.join([row, Strip([Segment(EDGE, styles.gutter)])])


def _cuts_evenly(text: str, *cuts: int) -> bool:
    """Whether the pieces between cuts take the same cells as the whole they come from."""
    whole = text[cuts[0] : cuts[-1]]
    if whole.isascii():
        return True
    return cells_of(whole) == sum(cells_of(text[first:last]) for first, last in pairwise(cuts))
