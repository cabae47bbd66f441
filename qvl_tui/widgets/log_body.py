"""Draw the lines of a log, only those in sight, and go through them."""

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from qvl_tui.widgets.cells import cut, row_starts
from qvl_tui.widgets.log_drawing import (
    GUTTER_CELLS,
    LineStyles,
    foreground,
    gutter,
    kind_of,
    plain,
    text_segments,
    with_edge,
)
from qvl_tui.widgets.log_lines import LogLine, LogLines, Rows, Search, Which

SIDEWAYS_CELLS = 16
NEXT_WHICH: dict[Which, Which] = {"all": "console", "console": "events", "events": "all"}


ON_OWN_GROUND = ("cursor", "match", "current")  # styles with a background


def _binding(key: str, action: str, words: str, tip: str, *, show: bool = False) -> Binding:
    return Binding(key, action, words, show=show, id=f"log.{action}", tooltip=tip)


class LogBody(ScrollView, can_focus=True):
    """The lines; it follows the end until somebody looks elsewhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _binding("up", "line_up", "up", "The line above; stops following"),
        _binding("down", "line_down", "down", "The line below; follows again after the last"),
        _binding("pageup", "page_back", "page up", "A page up; stops following"),
        _binding("pagedown", "page_on", "page down", "A page down; follows again at the end"),
        _binding("shift+up", "mark_up", "mark up", "Mark the line above too, to copy it"),
        _binding("shift+down", "mark_down", "mark down", "Mark the line below too, to copy it"),
        _binding("left", "sideways_left", "left", "The left of long lines"),
        _binding("right", "sideways_right", "right", "The right of long lines"),
        _binding("home", "first", "first line", "The first line that is kept"),
        _binding("end", "follow", "follow", "Follow the newest line", show=True),
        _binding("slash", "search", "search", "Search in these lines", show=True),
        _binding("n", "next_match", "next match", "The next match of the search"),
        _binding("N", "previous_match", "previous match", "The match before"),
        _binding("w", "wrap", "wrap", "Wrap long lines, or do not", show=True),
        _binding("c", "copy", "copy", "Copy the marked lines, or all in sight", show=True),
        _binding("l", "which", "lines", "Show all lines, console only, events only", show=True),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("log--clock", "log--console", "log--step", "log--note", "log--good", "log--warning"),
        *("log--bad", "log--match", "log--current", "log--cursor"),
    }
    DEFAULT_CSS = """
    LogBody {
        height: 1fr;
        background: transparent;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .log--clock { color: $text-muted; }
        & > .log--console { color: $text-muted; }
        & > .log--step { color: $text-muted; }
        & > .log--note { color: $text-muted; text-style: italic; }
        & > .log--good { color: $text-success; }
        & > .log--warning { color: $text-warning; }
        & > .log--bad { color: $text-error; }
        & > .log--match { background: $warning 40%; text-style: bold; }
        & > .log--current { background: $warning; color: $background; text-style: bold underline; }
        & > .log--cursor { background: $boost; }
        &:focus > .log--cursor { background: $block-cursor-background 30%; text-style: bold; }
    }
    """

    class Moved(Message):
        """What is looked at changed: the place, the search or which lines."""

    class SearchAsked(Message):
        """Somebody wants to type a text to search for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = LogLines("")
        self.which: Which = "all"
        self.wrap = False
        self.cursor: int | None = None  # number of a line; None: follows the end
        self.search: Search | None = None
        self._marked_from: int | None = None  # other end of the marked lines
        self._search_from: int | None = None  # where the cursor was when the search began
        self._seen = 0  # the number after the last line when it stopped following
        self._rows = Rows(self.lines, self.which, None)
        self._styles: dict[str, Style] = {}

    # --- lines --------------------------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether the newest line stays in sight."""
        return self.cursor is None

    @property
    def unseen(self) -> int:
        """How many lines came since it stopped following."""
        return 0 if self.following else len(self._rows.between(self._seen, self.lines.end))

    def add(self, new: Iterable[LogLine], unfinished: LogLine | None = None) -> None:
        """Add lines at the end; the unfinished one replaces that of the last call."""
        top = self._top_line()
        changing, dropped = self.lines.finished, self.lines.dropped
        self._rows.forget_from(changing)
        if self.search:
            self.search.forget_from(changing)
        self.lines.append(new, unfinished)
        self._rows.update()
        if self.search:
            self.search.forget_before(self.lines.dropped)
            self.search.update(self.lines, self._rows)
        self._measure()
        if self.following:
            self._scroll(y=self.max_scroll_y)
        elif dropped != self.lines.dropped and top is not None:
            self._put_on_top(top)
        self.refresh()
        self.post_message(self.Moved())

    def clear(self, older_note: str) -> None:
        """Forget everything; `older_note` will tell at the top where dropped lines are found."""
        self.lines = LogLines(older_note)
        self.cursor = self._marked_from = None
        self._lay_out()

    def find(self, text: str) -> None:
        """Go to the match nearest to where the search began; with an empty text, back there."""
        if self.search is None:
            self._search_from = self.cursor
        self.search = self._searched_for(text) if text else None
        origin = self._search_from
        if self.search is None:
            self.action_follow() if origin is None else self._go_to(origin)
        elif origin is not None and self.search.place(origin):
            self._go_to(origin)
        else:
            start = self.lines.end if origin is None else origin
            self._go_to_match(start, backwards=origin is None)
        self._moved()

    def end_search(self) -> None:
        """Search for nothing, and stay."""
        self.search = None
        self._moved()

    def _searched_for(self, text: str) -> Search:
        search = Search(text)
        search.update(self.lines, self._rows)
        return search

    def _lay_out(self) -> None:
        """Lay all lines out anew and keep the place."""
        top = self._top_line()
        width = max(self._width() - GUTTER_CELLS, 2) if self.wrap else None
        self._rows = Rows(self.lines, self.which, width)
        if self.search:
            self.search = self._searched_for(self.search.text)
        self._measure()
        if self.following:
            self._scroll(y=self.max_scroll_y)
        elif top is not None:
            self._put_on_top(top)
        self._moved()

    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _measure(self) -> None:
        width = 0 if self.wrap else GUTTER_CELLS + self._rows.widest
        self.virtual_size = Size(width, len(self._rows))

    def _top_line(self) -> int | None:
        row = self.scroll_offset.y
        return self._rows.at(row)[0] if row < len(self._rows) else None

    def _scroll(self, *, x: int | None = None, y: int | None = None) -> None:
        # Forced: without it nothing scrolls before the scroll bar was first drawn.
        self.scroll_to(x, y, animate=False, force=True, immediate=True)

    def _put_on_top(self, number: int) -> None:
        if self._rows.numbers:
            self._scroll(y=self._rows.rows(number)[0])

    def _moved(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def on_resize(self, _event: Resize) -> None:
        """Wrap at the new width, and keep the end in sight."""
        self._lay_out()

    # --- drawing ------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget the styles of the theme before."""
        super().notify_style_update()
        self._styles.clear()

    def _style(self, name: str) -> Style:
        if not name:
            return Style.null()
        if name not in self._styles:
            style = self.get_component_rich_style(f"log--{name}")
            self._styles[name] = style if name in ON_OWN_GROUND else foreground(style)
        return self._styles[name]

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width, row = self._width(), self.scroll_offset.y + y
        base = self.rich_style
        if row >= len(self._rows):
            return Strip.blank(width, base)
        number, part = self._rows.at(row)
        line = self.lines[number]
        if self._is_marked(number):
            base += self._style("cursor")
        room = max(width - GUTTER_CELLS, 0)
        styles = LineStyles(
            base,
            gutter=base + self._style("clock"),
            text=base + self._style(kind_of(line)),
            match=self._style("current" if number == self.cursor else "match"),
        )
        spans = self.search.spans(line.text) if self.search else []
        segments = [gutter(line, styles, first=part == 0)]
        shown = self._part(line, part, room)
        segments += text_segments(line.text, shown, spans, styles)
        strip = Strip(segments).adjust_cell_length(width, base)
        goes_on = not self.wrap and shown[1] < len(line.text)
        return with_edge(strip, styles) if goes_on else strip

    def _part(self, line: LogLine, part: int, room: int) -> tuple[int, int, int]:
        """Return where the part in sight begins and ends, and the blanks before it."""
        if not self.wrap:
            return cut(line.text, self.scroll_offset.x, room)
        starts = row_starts(line.text, max(room, 2))
        ends = [*starts[1:], len(line.text)]
        part = min(part, len(starts) - 1)
        return starts[part], ends[part], 0

    # --- going through ------------------------------------------------------------------------

    def _is_marked(self, number: int) -> bool:
        if self.cursor is None:
            return False
        other = self.cursor if self._marked_from is None else self._marked_from
        return min(self.cursor, other) <= number <= max(self.cursor, other)

    def _go_to(self, number: int) -> None:
        """Put the cursor on a line and bring it into sight."""
        if self.following:
            self._seen = self.lines.end
        self.cursor = number
        first, end = self._rows.rows(number)
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if first < top:
            self._scroll(y=first)
        elif end > top + height:
            self._scroll(y=min(first, end - height))
        self._moved()

    def _step(self, distance: int, *, mark: bool = False) -> None:
        if not self._rows.numbers:
            return
        last = self._rows.numbers[-1]
        at = last if self.cursor is None else self._rows.neighbour(self.cursor, 0)
        if distance > 0 and at == last and not mark:
            self.action_follow()
            return
        self._marked_from = (
            (at if self._marked_from is None else self._marked_from) if mark else None
        )
        self._go_to(self._rows.neighbour(at, distance))

    def _page(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def action_line_up(self) -> None:
        """Go to the line above."""
        self._step(-1)

    def action_line_down(self) -> None:
        """Go to the line below."""
        self._step(1)

    def action_page_back(self) -> None:
        """Go a page up."""
        self._step(-self._page())

    def action_page_on(self) -> None:
        """Go a page down."""
        self._step(self._page())

    def action_mark_up(self) -> None:
        """Mark the line above too."""
        self._step(-1, mark=True)

    def action_mark_down(self) -> None:
        """Mark the line below too."""
        self._step(1, mark=True)

    def action_sideways_left(self) -> None:
        """Show what is further left."""
        self._scroll(x=self.scroll_offset.x - SIDEWAYS_CELLS)

    def action_sideways_right(self) -> None:
        """Show what is further right."""
        self._scroll(x=self.scroll_offset.x + SIDEWAYS_CELLS)

    def action_first(self) -> None:
        """Go to the first line."""
        if self._rows.numbers:
            self._marked_from = None
            self._go_to(self._rows.numbers[0])

    def action_follow(self) -> None:
        """Follow the newest line."""
        self.cursor = self._marked_from = None
        self._scroll(y=self.max_scroll_y)
        self._moved()

    def on_mouse_scroll_up(self) -> None:
        """Let go of the end."""
        if self.following and self.max_scroll_y:
            bottom = self.scroll_offset.y + self.scrollable_content_region.height - 1
            self._seen = self.lines.end
            self.cursor = self._rows.at(min(bottom, len(self._rows) - 1))[0]
            self._moved()

    def on_mouse_scroll_down(self) -> None:
        """Take hold of the end once it is reached."""
        if not self.following and self.scroll_offset.y >= self.max_scroll_y:
            self.action_follow()

    # --- what else keys do --------------------------------------------------------------------

    def action_search(self) -> None:
        """Ask for a text."""
        self.post_message(self.SearchAsked())

    def action_next_match(self) -> None:
        """Go to the next match."""
        self._go_to_match(self.lines.end if self.cursor is None else self.cursor, backwards=False)

    def action_previous_match(self) -> None:
        """Go to the match before."""
        self._go_to_match(self.lines.end if self.cursor is None else self.cursor, backwards=True)

    def _go_to_match(self, origin: int, *, backwards: bool) -> None:
        found = self.search.from_(origin, backwards=backwards) if self.search else None
        if found is not None:
            self._marked_from = None
            self._go_to(found)

    def action_wrap(self) -> None:
        """Wrap long lines, or do not."""
        self.wrap = not self.wrap
        self._scroll(x=0)
        self._lay_out()

    def action_which(self) -> None:
        """Show other lines."""
        self.which = NEXT_WHICH[self.which]
        self._lay_out()

    def action_copy(self) -> None:
        """Copy the marked lines, or those in sight when it follows."""
        numbers = self._chosen()
        if not numbers:
            return
        self.app.copy_to_clipboard("\n".join(plain(self.lines[it]) for it in numbers))
        words = "1 line" if len(numbers) == 1 else f"{len(numbers):,} lines"
        what = "in sight" if self.following else "marked"
        self.notify(f"copied {words} ({what})", markup=False)

    def _chosen(self) -> list[int]:
        if self.cursor is None:
            top, height = self.scroll_offset.y, self.scrollable_content_region.height
            rows = range(top, min(top + height, len(self._rows)))
            return sorted({self._rows.at(row)[0] for row in rows})
        other = self.cursor if self._marked_from is None else self._marked_from
        return list(self._rows.between(min(self.cursor, other), max(self.cursor, other)))
