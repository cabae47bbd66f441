"""Tables with a column a run, in blocks below each other where they are too wide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.app import App
from textual.color import Color
from textual.content import Content
from textual.style import Style

from qvl_tui.charts.glyphs import marker
from qvl_tui.feed import Feed
from qvl_tui.themes import series_styles

GAP = 3  # cells between columns
HEAD_CELLS = 24  # of a run's name above its column


@dataclass(frozen=True)
class Compared:
    """A run among those that are compared; its place decides its colour and marker."""

    feed: Feed
    name: str  # fit to be shown
    place: int

    def sign(self, app: App[object]) -> Content:
        """Return the marker of the run's curves in their colour."""
        colour = series_styles(app)[self.place].color
        style = Style(foreground=Color.from_rich_color(colour)) if colour else Style()
        return Content.styled(marker(self.place), style)

    def head(self, app: App[object]) -> Content:
        """Return marker and name, cut to what stands above a column."""
        name = Content.styled(self.name, "bold").truncate(HEAD_CELLS - 2, ellipsis=True)
        return Content.assemble(self.sign(app), " ", name)


def blocks(
    width: int, labels: Sequence[str], columns: Sequence[Sequence[Content]], baseline: int
) -> list[Content]:
    """Return the lines of a table; each block of columns begins with that of the baseline.

    The first cell of a column is its head. `labels` stand left of the cells below it.
    """
    label_width = max(map(cell_len, labels), default=0)
    widths = [max(cell.cell_length for cell in column) for column in columns]
    lines: list[Content] = []
    for block in _in_blocks(widths, width - label_width, baseline):
        lines += [Content()] if lines else []
        for row, label in enumerate(("", *labels)):
            cells = [_filled(columns[place][row], widths[place]) for place in block]
            name = Content.styled(label + " " * (label_width - cell_len(label)), "$text-muted")
            lines.append(Content(" " * GAP).join([name, *cells]).rstrip())
    return lines


def _filled(cell: Content, width: int) -> Content:
    return Content.assemble(cell, " " * (width - cell.cell_length))


def _in_blocks(widths: Sequence[int], room: int, baseline: int) -> Iterator[list[int]]:
    """Yield the places of the columns that stand beside each other."""
    others = [place for place in range(len(widths)) if place != baseline]
    block = [baseline]
    for place in others:
        taken = sum(widths[it] + GAP for it in (*block, place))
        if taken > room and len(block) > 1:
            yield block
            block = [baseline]
        block.append(place)
    yield block
