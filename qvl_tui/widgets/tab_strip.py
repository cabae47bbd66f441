"""The names of panes of which one is shown, with the keys that show them."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from qvl_tui.widgets.pane import Pane

LONG_CELLS = 7  # a title from which cutting wins something
CUT_CELLS = 5  # that are left of it


class TabStrip(Widget):
    """One line; without room for all names long ones are cut, then far ones shrink to numbers."""

    DEFAULT_CSS = """
    TabStrip {
        height: 1;
        padding: 0 1;
        text-wrap: nowrap;
    }
    """

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, pane: Pane) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._panes: Sequence[Pane] = ()
        self._shown = 0
        self._drawn = Content()

    def show_panes(self, panes: Sequence[Pane], shown: Pane | None) -> None:
        """Show the names of these panes, the shown one marked."""
        self._panes = panes
        self._shown = next((place for place, it in enumerate(panes) if it is shown), 0)
        line = self._line()
        if not line.is_same(self._drawn):
            self._drawn = line
            self.refresh()

    def on_resize(self) -> None:
        """Fit the names to the new width."""
        self._drawn = self._line()
        self.refresh()

    def render(self) -> Content:
        """Return the line."""
        return self._drawn

    def _labels(self) -> list[str]:
        names = [Label(it.number, it.title, it.badge) for it in self._panes]
        return shortened(names, self._shown, self.content_size.width - 1)

    def _line(self) -> Content:
        parts: list[Content] = []
        for place, label in enumerate(self._labels()):
            if place == self._shown:
                parts.append(Content.styled(f" {label} ", "reverse"))
            else:
                key, _, words = label.partition(" ")
                gap = "" if place == self._shown + 1 else " "
                parts.append(Content.assemble(gap, (key, "bold $accent"), f" {words}".rstrip()))
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Show the pane whose name was clicked."""
        end = self.gutter.left
        for pane, label in zip(self._panes, self._labels(), strict=True):
            end += cell_len(label) + 1
            if event.x < end:
                self.post_message(self.Chosen(pane))
                return


class Label(NamedTuple):
    """What a tab says."""

    number: int
    title: str
    badge: str = ""

    @property
    def text(self) -> str:
        """The label in words."""
        return " ".join(it for it in (str(self.number), self.title, self.badge) if it)


def shortened(labels: Sequence[Label], shown: int, width: int) -> list[str]:
    """Return labels that fit: the longest titles are cut first, then far ones left out."""
    labels = list(labels)
    others = [it for it in range(len(labels)) if it != shown]
    for place in sorted(others, key=lambda it: -cell_len(labels[it].title)):
        if _width(labels) <= width:
            break
        title = labels[place].title
        if cell_len(title) >= LONG_CELLS:
            labels[place] = labels[place]._replace(title=f"{title[: CUT_CELLS - 1]}…")
    for place in sorted(others, key=lambda it: -abs(it - shown)):
        if _width(labels) <= width:
            break
        labels[place] = labels[place]._replace(title="")
    return [it.text for it in labels]


def _width(labels: Sequence[Label]) -> int:
    return sum(cell_len(it.text) + 1 for it in labels)
