"""The configuration of a run: differences from the defaults first, then all, searchable."""

import re
from collections.abc import Hashable, Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.config_page import Entry, Paragraph, found_paragraphs, option_paragraphs
from qvl_tui.widgets.sheet import Item
from qvl_tui.widgets.sheet_pane import SheetPane, nothing_yet
from trainer.run.layout import RunLayout

WIDEST_KEY = 34
INDENT = 2
MUTED = "$text-muted"


class Config(SheetPane):
    """Options, parts, data files and versions; `/` searches."""

    title: ClassVar[str] = "Config"
    DEFAULT_CSS = """
    Config > Input { display: none; }
    Config.searching > Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", id="config.search", tooltip="Only lines with a word"),
        Binding("escape", "forget", "show all", id="config.show-all", tooltip="End the search"),
    ]

    class Read(Message):
        """The configuration of an attempt was read."""

        def __init__(self, paragraphs: Sequence[Paragraph]) -> None:
            self.paragraphs = paragraphs
            super().__init__()

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(desk, id)
        self._options: Sequence[Paragraph] | None = None  # None: not read yet
        self._read_for: tuple[RunLayout, int] | None = None  # run and attempt

    def compose(self) -> ComposeResult:
        """Put the search line on top."""
        yield Input(placeholder="search keys and values", compact=True)
        yield from super().compose()

    def show(self, feed: Feed) -> None:
        """Draw what changed; config.yaml is read once an attempt, in a thread."""
        reading = (feed.layout, feed.state.attempt)
        if reading != self._read_for:
            self._read_for = reading
            read = partial(self._read, feed.layout)
            self.run_worker(read, thread=True, group="config", exit_on_error=False)
        super().show(feed)

    def _read(self, layout: RunLayout) -> None:
        self.post_message(self.Read(option_paragraphs(layout)))

    def on_config_read(self, message: Read) -> None:
        """Show what was read."""
        self._options = message.paragraphs
        self.redraw()

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return what is searched, whether the options are read, and what the run found out."""
        state = feed.state
        found = (state.attempt, id(state.current.started), len(state.parts), len(state.data))
        return self.query_one(Input).value, id(self._options), state.plan, found

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return the paragraphs, of a search only the lines that hold all its words."""
        if self._options is None:
            return (), nothing_yet("reading config.yaml")
        words = self.query_one(Input).value.split()
        changed, *everything = self._options
        paragraphs = [changed, *found_paragraphs(feed.state), *everything]
        items = [it for paragraph in paragraphs for it in _items(paragraph, words, width)]
        self.say(f"/{' '.join(words)}" if words else "")
        return (), items or nothing_yet("nothing with these words; escape shows all")

    # --- searching ----------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to the screen while nothing is searched."""
        if action == "forget":
            return self.has_class("searching")
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Ask for words."""
        self.add_class("searching")
        self.query_one(Input).focus()
        self.refresh_bindings()

    def action_forget(self) -> None:
        """Show everything again."""
        self.query_one(Input).value = ""
        self.remove_class("searching")
        self.sheet.focus()
        self.refresh_bindings()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what holds the words so far."""
        event.stop()
        self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the lines that were found."""
        event.stop()
        self.sheet.focus()


def _items(paragraph: Paragraph, words: Sequence[str], width: int) -> list[Item]:
    found = [it for it in paragraph.entries if _holds(it, words)]
    if not found:
        return []
    widest = min(max(len(it.key) for it in paragraph.entries), WIDEST_KEY, max(width // 2, 8))
    title = Item(("title", paragraph.title), (Content.styled(paragraph.title, "bold $accent"),))
    entries = [
        Item((paragraph.title, it.key, it.value), _lines(it, widest, words, width)) for it in found
    ]
    return [title, *entries, Item(("end", paragraph.title), (Content(""),))]


def _holds(entry: Entry, words: Sequence[str]) -> bool:
    text = f"{entry.key} {entry.value} {entry.remark}".lower()
    return all(word.lower() in text for word in words)


def _lines(entry: Entry, key_cells: int, words: Sequence[str], width: int) -> tuple[Content, ...]:
    """Return key and value beside each other, or the value below a key that is too long."""
    key, value = Content(entry.key), Content.styled(entry.value, "bold")
    remark = Content.styled(entry.remark, MUTED)
    words_beside = Content.assemble(value, "  " if entry.remark else "", remark)
    if key.cell_length > key_cells:
        lines = [key.truncate(width), *_indented(words_beside, INDENT, width)]
    else:
        first, *more = _indented(words_beside, key_cells + INDENT, width)
        lines = [Content.assemble(entry.key.ljust(key_cells + INDENT), first[key_cells + INDENT :])]
        lines += more
    return tuple(_marked(line, words) for line in lines)


def _indented(text: Content, cells: int, width: int) -> list[Content]:
    blank = " " * cells
    return [Content.assemble(blank, it) for it in text.wrap(max(width - cells, 8))] or [Content("")]


def _marked(line: Content, words: Sequence[str]) -> Content:
    if not words:
        return line
    pattern = "|".join(re.escape(word) for word in words)
    return line.highlight_regex(re.compile(pattern, re.IGNORECASE), style="reverse")
