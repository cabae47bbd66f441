"""All keys of the screen below, and what the glyphs mean."""

from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from qvl_tui.charts.glyphs import MARK_GLYPHS, MARKERS
from qvl_tui.themes import role_colour, state_style
from qvl_tui.widgets.keys import Place, places
from trainer.words.lines import GLYPHS
from trainer.words.numbers import UNKNOWN

STATE_MEANINGS = {
    "starting": "not training yet: it loads, indexes or waits",
    "running": "trains or evaluates",
    "stopping": "was asked to stop; it saves a checkpoint first",
    "finished": "did all its steps",
    "stopped": "ended on request, with a checkpoint to go on from",
    "failed": "ended with an error, which is told",
    "crashed": "was killed, or its machine was lost; r resumes it",
    "stalled": "lives, but has made no progress for long",
}


class SearchLine(Input):
    """What is searched for; `?` closes help here too."""

    cursor_blink = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is text, so that no binding may have it."""
        return key != "question_mark" and super().check_consume_key(key, character)


class HelpScreen(ModalScreen[None]):
    """An overlay; typing searches it."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > Vertical {
            width: 90%;
            max-width: 100;
            height: 90%;
            background: $surface;
            border: round $accent;
            padding: 0 1;
        }
        SearchLine { padding: 0 1; margin: 0 0 1 0; background: $panel; }
        VerticalScroll { scrollbar-size-vertical: 1; }
        Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,question_mark",
            "close",
            "close",
            id="help.close",
            tooltip="Close help",
            priority=True,
        ),
        Binding("up", "scroll(-1)", "up", id="help.up", tooltip="Line up", show=False),
        Binding("down", "scroll(1)", "down", id="help.down", tooltip="Line down", show=False),
        Binding("pageup", "page(-1)", "page up", id="help.pageup", tooltip="Page up", show=False),
        Binding(
            "pagedown", "page(1)", "page down", id="help.pagedown", tooltip="Page down", show=False
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._places: list[Place] = []

    def compose(self) -> ComposeResult:
        """Lay out the search line over the text."""
        with Vertical() as box:
            box.border_title = "Help"
            box.border_subtitle = "↑ ↓ pgup pgdn scroll   escape close"
            yield SearchLine(placeholder="type to search keys and words", compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(id="help-text")

    def on_mount(self) -> None:
        """Read the bindings of the screen below."""
        stack = self.app.screen_stack
        below: Screen[object] = stack[stack.index(self) - 1]
        self._places = places(below)
        self._draw("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the lines that hold what was typed."""
        self._draw(event.value)

    def action_close(self) -> None:
        """Go back to the screen below."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=pages * (scroll.size.height - 1), animate=False)

    def _draw(self, query: str) -> None:
        sections = [*_keys(self._places), *self._legend()]
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, min_width=14)
        table.add_column()
        accent = Style(color=role_colour(self.app, "accent"))
        empty = True
        for title, rows in sections:
            found = [row for row in rows if _holds(title, row, query)]
            if found:
                if not empty:
                    table.add_row()
                table.add_row(Text.assemble(("▌", accent), (title, "bold")))
                empty = False
            for row in found:
                table.add_row(*row)
        text = Text(f"nothing here speaks of “{query}”") if empty else table
        self.query_one("#help-text", Static).update(text)

    def _legend(self) -> list[tuple[str, list[tuple[Text, Text]]]]:
        states = [
            (
                Text(f"{glyph} {state}", state_style(self.app, state)),
                Text(STATE_MEANINGS[state]),
            )
            for state, glyph in GLYPHS.items()
        ]
        marks = [
            (Text(glyph), Text(kind.replace("_", " ") + ", on the x-axis of charts"))
            for kind, glyph in reversed(MARK_GLYPHS.items())
        ]
        others = [
            (Text(" ".join(MARKERS)), Text("the curves of a chart, and the runs of Compare")),
            (Text("★"), Text("the best")),
            (Text("⚠ ✗"), Text("a warning; something bad")),
            (Text(UNKNOWN), Text("not known (never a zero)")),
        ]
        return [("States of a run", states), ("Marks in charts", marks), ("Other signs", others)]


def _keys(found: list[Place]) -> list[tuple[str, list[tuple[Text, Text]]]]:
    return [
        (place.title, [(Text(act.keys, "bold"), Text(act.meaning)) for act in place.acts])
        for place in found
    ]


def _holds(title: str, row: tuple[Text, Text], query: str) -> bool:
    line = f"{title} {row[0].plain} {row[1].plain}".casefold()
    return all(word in line for word in query.casefold().split())
