"""Lines of text of which only those that changed are drawn again."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual


@dataclass(frozen=True)
class Item:
    """Lines that belong together and are chosen together."""

    key: Hashable  # tells it from the others, also once others come before it
    lines: tuple[Content, ...]


def plain_items(lines: Iterable[Content]) -> list[Item]:
    """Return each line as an item of its own, told apart by its place."""
    return [Item(place, (line,)) for place, line in enumerate(lines)]


def changed_cells(before: Strip, after: Strip) -> tuple[int, int]:
    """Return the first cell that differs and the one after the last; all where some are wide."""
    width = after.cell_length
    old, new = _cells(before), _cells(after)
    if len(old) != width or len(new) != width:
        return 0, width
    different = [place for place in range(width) if old[place] != new[place]]
    return (different[0], different[-1] + 1) if different else (0, 0)


def _cells(strip: Strip) -> list[tuple[str, RichStyle | None]]:
    return [(character, style) for text, style, _ in strip for character in text]


class Sheet(ScrollView, can_focus=True):
    """Lines, each as wide as there is room; with `choosing` one item carries the cursor."""

    DEFAULT_CSS = """
    Sheet {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        & > .sheet--cursor {
            background: $block-cursor-blurred-background;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus > .sheet--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """
    help_title: ClassVar[str] = "Lists and tables"
    COMPONENT_CLASSES: ClassVar[set[str]] = {"sheet--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False, id="sheet.up", tooltip="One up"),
        Binding("down", "move(1)", "down", show=False, id="sheet.down", tooltip="One down"),
        Binding("pageup", "turn(-1)", "page up", show=False, id="sheet.page-up", tooltip="Page up"),
        Binding(
            "pagedown",
            "turn(1)",
            "page down",
            show=False,
            id="sheet.page-down",
            tooltip="Page down",
        ),
        Binding("home", "edge(0)", "first", show=False, id="sheet.first", tooltip="To the first"),
        Binding("end", "edge(-1)", "last", show=False, id="sheet.last", tooltip="To the last"),
    ]

    class Moved(Message):
        """The cursor is on another item."""

    def __init__(
        self,
        *,
        choosing: bool = False,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._choosing = choosing
        self._items: list[Item] = []
        self._lines: list[Content] = []
        self._owners: list[int] = []  # the item of each line
        self._place = 0  # of the cursor among the items

    @property
    def chosen(self) -> Hashable | None:
        """The key of the item under the cursor."""
        return self._items[self._place].key if self._choosing and self._items else None

    @property
    def lines(self) -> Sequence[Content]:
        """All lines."""
        return self._lines

    def show_items(self, items: Sequence[Item]) -> None:
        """Show items in place of the earlier ones; the cursor stays with its item."""
        before, chosen, marked = self._lines, self.chosen, self._cursor_lines()
        self._items = list(items)
        self._lines = [line for item in items for line in item.lines]
        self._owners = [place for place, item in enumerate(items) for _ in item.lines]
        places = (place for place, item in enumerate(items) if item.key == chosen)
        self._place = next(places, min(self._place, max(len(items) - 1, 0)))
        for y in marked ^ self._cursor_lines():
            self._refresh_line(y)
        self._refresh_changed(before)

    def _refresh_changed(self, before: Sequence[Content]) -> None:
        if len(before) != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
            self.refresh(layout=self.styles.height is not None and self.styles.height.is_auto)
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if not old.is_same(new):
                self._refresh_cells(y, old, new)

    def _refresh_cells(self, y: int, old: Content, new: Content) -> None:
        """Draw only the part of a line that changed: each cell costs a byte over SSH."""
        row, width = y - self.scroll_offset.y, self.size.width
        if width and 0 <= row < self.size.height:
            before, after = (
                Visual.to_strips(self, line, width, 1, self.visual_style, pad=True)[0]
                for line in (old, new)
            )
            start, end = changed_cells(before, after)
            self.refresh(Region(start, row, end - start, 1))

    def _refresh_line(self, y: int) -> None:
        row = y - self.scroll_offset.y
        if 0 <= row < self.size.height:
            self.refresh(Region(0, row, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw one line of the window."""
        place, width = y + self.scroll_offset.y, self.size.width
        style = self.visual_style
        if place >= len(self._lines) or not width:
            return Strip.blank(width, style.rich_style)
        if self._choosing and self._owners[place] == self._place:
            # get_visual_style would lose reverse video, the cursor of terminals without colours.
            style += Style.from_styles(self.get_component_styles("sheet--cursor"))
        return Visual.to_strips(self, self._lines[place], width, 1, style, pad=True)[0]

    # --- the cursor ---------------------------------------------------------------------------

    def _cursor_lines(self) -> set[int]:
        if not self._choosing:
            return set()
        return {y for y, owner in enumerate(self._owners) if owner == self._place}

    def _refresh_cursor(self) -> None:
        for y in self._cursor_lines():
            self._refresh_line(y)

    def _put_cursor(self, place: int) -> None:
        place = max(0, min(place, len(self._items) - 1))
        if not self._items or place == self._place:
            return
        self._refresh_cursor()
        self._place = place
        self._refresh_cursor()
        self._bring_into_view()
        self.post_message(self.Moved())

    def _bring_into_view(self) -> None:
        first = self._owners.index(self._place)
        last = first + len(self._items[self._place].lines) - 1
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False)

    def action_move(self, by: int) -> None:
        """Move the cursor, or what is seen, by one."""
        if self._choosing:
            self._put_cursor(self._place + by)
        else:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False)

    def action_turn(self, pages: int) -> None:
        """Move by as much as is seen."""
        rows = max(self.size.height - 1, 1) * pages
        if not self._choosing:
            self.scroll_to(y=self.scroll_offset.y + rows, animate=False)
        elif self._owners:
            line = self._owners.index(self._place) + rows
            self._put_cursor(self._owners[max(0, min(line, len(self._owners) - 1))])

    def action_edge(self, edge: int) -> None:
        """Move to the first (0) or to the last (-1)."""
        if self._choosing:
            self._put_cursor(0 if edge == 0 else len(self._items) - 1)
        else:
            self.scroll_to(y=0 if edge == 0 else len(self._lines), animate=False)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the item that was clicked."""
        line = event.y + self.scroll_offset.y
        if self._choosing and line < len(self._owners):
            self._put_cursor(self._owners[line])

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self._refresh_cursor()

    def on_blur(self) -> None:
        """Show the cursor as one at rest."""
        self._refresh_cursor()


class Lines(Sheet, can_focus=False):
    """Lines that are only looked at."""
