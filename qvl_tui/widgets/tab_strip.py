"""The names of panes of which one is shown, with the keys that show them."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from qvl_tui.widgets.pane import Pane


class TabStrip(Widget):
    """One line; without room for all names, those far from the shown pane shrink to numbers."""

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
        full = [f"{it.number} {it.title} {it.badge}".rstrip() for it in self._panes]
        short = [f"{it.number} {it.badge}".rstrip() for it in self._panes]
        return shortened(full, short, self._shown, self.content_size.width - 1)

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


def shortened(full: Sequence[str], short: Sequence[str], shown: int, width: int) -> list[str]:
    """Return the full labels, the furthest from the shown one made short until they fit."""
    labels = list(full)
    furthest_first = sorted(
        (it for it in range(len(labels)) if it != shown), key=lambda it: -abs(it - shown)
    )
    for place in furthest_first:
        if sum(cell_len(label) + 1 for label in labels) <= width:
            break
        labels[place] = short[place]
    return labels
