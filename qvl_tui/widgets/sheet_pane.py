"""A pane that is a heading and lines below it."""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.sheet import Item, Sheet, plain_items


class Heading(Sheet, can_focus=False):
    """The lines above that do not scroll."""

    DEFAULT_CSS = """
    Heading {
        height: auto;
        max-height: 70%;
        overflow-y: hidden;
    }
    """


class SheetPane(Pane):
    """A pane that is a heading and lines below it; subclasses say which."""

    DEFAULT_CSS = """
    SheetPane {
        layout: vertical;
        & > .body { height: 1fr; }
    }
    """
    choosing: ClassVar[bool] = False  # whether one item carries the cursor

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.desk = desk
        self.feed: Feed | None = None
        self.sheet = Sheet(choosing=self.choosing, classes="body")
        self._heading = Heading()
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Put the heading above the lines."""
        yield self._heading
        yield self.sheet

    def show(self, feed: Feed) -> None:
        """Draw what changed in the run since the last call."""
        self.feed = feed
        self.redraw()

    def redraw(self) -> None:
        """Draw where anything that is shown differs from what was drawn last."""
        feed, width = self.feed, self.sheet.scrollable_content_region.width
        if feed is None or not width:
            return
        looked_at = (feed, id(feed.state), width, *self.causes(feed))
        if looked_at == self._drawn:
            return
        self._drawn = looked_at
        heading, items = self.content(feed, width)
        self._heading.show_items(plain_items(heading))
        self.sheet.show_items(items)

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return what the lines depend on besides the width: parts of the state, a clock."""
        return (feed.version,)

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return the heading and the items at a width."""
        raise NotImplementedError

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self.call_after_refresh(self.redraw)


def nothing_yet(words: str) -> list[Item]:
    """Return the one line of a pane that has nothing to show."""
    return [Item("nothing", (Content.styled(words, "$text-muted"),))]
