"""A record as the model reads it, every token in its meaning."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qvl_tui.widgets.pane import Pane
from trainer.inspect.inspection import Inspection, TokenKind, TokenRun
from trainer.inspect.words import (
    BRACKETS,
    MEANINGS,
    counts_words,
    remarks,
    run_words,
    verdict,
    visible,
)
from trainer.words.numbers import count

STYLES: dict[TokenKind, str] = {
    "trained": "bold $success",
    "context": "$foreground",
    "image": "$accent",
    "cut": "strike $error",
}
BOUND = "│"  # between tokens
SHOWN_CHARACTERS = 60_000  # more than anybody scrolls through


class Conversation(Pane, can_focus=True):
    """The rendered text in colours, and below it how many tokens there are of each kind."""

    title: ClassVar[str] = "Conversation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "up", show=False, id="conversation.up", tooltip="Line up"),
        Binding(
            "down", "scroll(1)", "down", show=False, id="conversation.down", tooltip="Line down"
        ),
        Binding(
            "pageup",
            "turn(-1)",
            "page up",
            show=False,
            id="conversation.page-up",
            tooltip="Page up",
        ),
        Binding(
            "pagedown,space",
            "turn(1)",
            "page down",
            show=False,
            id="conversation.page-down",
            tooltip="Page down",
        ),
    ]
    DEFAULT_CSS = """
    Conversation {
        layout: vertical;
        & > VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
        & > VerticalScroll > Static { height: auto; }
        & > #conversation-counts {
            height: auto; max-height: 60%; border-top: solid $border-blurred;
        }
    }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.seen: Inspection | None = None
        self.bounds = False  # whether tokens are set apart

    def compose(self) -> ComposeResult:
        """The text, and what is counted."""
        with VerticalScroll(can_focus=False):
            yield Static(id="conversation-text")
        yield Static(id="conversation-counts")

    def show_record(self, seen: Inspection | None) -> None:
        """Show a record from its beginning."""
        self.seen = seen
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self.draw()

    def show_words(self, words: Content) -> None:
        """Show words in place of a record."""
        self.seen = None
        self.query_one("#conversation-text", Static).update(words)
        self.query_one("#conversation-counts", Static).update("")

    def draw(self) -> None:
        """Draw what is to be seen now."""
        if self.seen is not None:
            plain = self.app.no_color
            text = conversation_text(self.seen, plain=plain, bounds=self.bounds)
            self.query_one("#conversation-text", Static).update(text)
            self.query_one("#conversation-counts", Static).update(counted(self.seen, plain=plain))

    def action_scroll(self, by: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_turn(self, by: int) -> None:
        """Scroll by as much as is seen."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=by * max(body.size.height - 1, 1), animate=False)


def conversation_text(seen: Inspection, *, plain: bool, bounds: bool) -> Content:
    """Return the tokens in the colours of their meaning; `plain` puts brackets instead."""
    parts: list[Content] = []
    left = SHOWN_CHARACTERS
    for run in seen.runs:
        words = _run_text(run, bounds=bounds)
        before, after = BRACKETS[run.kind] if plain else ("", "")
        parts.append(Content.styled(f"{before}{words[:left]}{after}", STYLES[run.kind]))
        left -= len(words)
        if left <= 0:
            rest = "\n… the text goes on; qvl data show writes all of it"
            parts.append(Content.styled(rest, "$warning"))
            break
    return Content("").join(parts)


def _run_text(run: TokenRun, *, bounds: bool) -> str:
    if run.image is not None:
        return run_words(run)
    return BOUND.join(map(visible, run.pieces)) if bounds else visible(run.text)


def counted(seen: Inspection, *, plain: bool) -> Content:
    """Return what training does with the record, its counts, its remarks and the legend."""
    glyph, said = verdict(seen)
    lines = [Content.styled(f"{glyph} {said}", "$error" if seen.problem else "$success")]
    if seen.runs:
        lines.append(Content(counts_words(seen)))
    lines += [Content.styled(it, "$text-muted") for it in remarks(seen)]
    place = f"{seen.format} · line {count(seen.place.line)} · byte {count(seen.place.offset)}"
    lines.append(Content.styled(place, "$text-muted"))
    there = {run.kind for run in seen.runs}
    legend = [
        Content.assemble(
            (kind.join(BRACKETS[kind]) if plain else kind, STYLES[kind]),
            (f" {MEANINGS[kind]}", "$text-muted"),
        )
        for kind in MEANINGS
        if kind in there
    ]
    if legend:
        lines.append(Content("   ").join(legend))
    return Content("\n").join(lines)
