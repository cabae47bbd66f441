"""The log of a run: what its processes print, and its events, as they come."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter
from typing import ClassVar

from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.console import ConsoleBite, ConsoleReader
from qvl_tui.widgets.log_body import LogBody
from qvl_tui.widgets.log_lines import LogLine, Which
from qvl_tui.widgets.log_past import (
    TimedLine,
    event_lines,
    printed_lines,
    step_lines,
    with_days,
)
from qvl_tui.widgets.pane import Pane
from trainer.run.events import AnyEvent
from trainer.run.state import RunState
from trainer.run.text import sanitise
from trainer.words.clock import day_of
from trainer.words.numbers import count, size

WHICH_WORDS: dict[Which, str] = {"all": "", "console": "console only", "events": "events only"}
NAME_CHARACTERS = 100


class LogView(Pane):
    """Console and events in one list of lines; the border says whether it follows the end."""

    title: ClassVar[str] = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "end_search",
            "end search",
            show=False,
            id="log.end_search",
            tooltip="End the search in the log",
        ),
    ]
    DEFAULT_CSS = """
    LogView {
        layout: vertical;
        & > Horizontal { height: 1; display: none; }
        & Static { width: auto; color: $text-muted; }
        & Input { width: 1fr; }
    }
    """

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.desk = desk
        self._state: RunState | None = None  # whose events are shown
        self._reader: ConsoleReader | None = None
        self._reading = False  # whether the console is being read in a thread
        self._printing = True  # whether the run lived at the last look at the console
        self._opened = False  # whether the past is shown
        self._events_taken = 0
        self._step_time = 0.0  # Unix seconds of the last step with a line
        self._day = ""
        self._unfinished: LogLine | None = None  # what the console's last line is so far
        self._older_note = ""

    def compose(self) -> ComposeResult:
        """The lines, and below them a place to type what to search for."""
        yield LogBody()
        with Horizontal():
            yield Static("/", markup=False)
            yield Input(compact=True, placeholder="search these lines", select_on_focus=True)
            yield Static("", id="log-matches", markup=False)

    @property
    def body(self) -> LogBody:
        """The lines."""
        return self.query_one(LogBody)

    # --- what is new --------------------------------------------------------------------------

    def show(self, feed: Feed) -> None:
        """Add what came since the last call; the console is read in a thread."""
        if feed.state is not self._state:
            self._begin(feed)
        if not feed.loaded:
            self.say(f"reading {feed.loading_share:.0%}")
            return
        if self._opened:
            self._add(self._new_events(feed), self._unfinished)
        if not self._reading and (self._printing or feed.status.held):
            self._printing = feed.status.held
            self._reading = True
            self.run_worker(self._read_console(feed), group="log")

    def _begin(self, feed: Feed) -> None:
        """Start with nothing shown: another run, or its files were replaced."""
        name = sanitise(feed.layout.name, NAME_CHARACTERS)
        self._state = feed.state
        self._reader = ConsoleReader(feed.layout.console)
        self._printing, self._reading, self._opened = True, False, False
        self._step_time, self._day, self._unfinished = 0.0, day_of(self.desk.now()), None
        self._older_note = f"older lines: qvl logs {name}, qvl events {name}"
        self.body.clear(self._older_note)

    async def _read_console(self, feed: Feed) -> None:
        console = self._reader
        assert console is not None
        try:
            bite = await asyncio.to_thread(console.read)
        except OSError as error:
            bite = ConsoleBite((), f"console.log cannot be read: {error.strerror}", 0, 0.0)
        if console is not self._reader:
            return
        self._reading = False
        if not self._opened:
            self._open(feed, bite)
        else:
            self._add(_printed_now(bite), _unfinished(bite))

    def _open(self, feed: Feed, bite: ConsoleBite) -> None:
        """Show the past: what was printed goes where its time puts it among the events."""
        self._opened = True
        self._events_taken = feed.event_count - len(feed.events)
        past = self._new_events(feed)
        past += printed_lines(bite.lines, bite.modified)
        past.sort(key=itemgetter(0))
        if len(feed.events) == feed.events.maxlen or bite.skipped_bytes:
            past.insert(0, (0.0, LogLine("note", self._older_note)))
        self._add(past, _unfinished(bite), even_nothing=True)

    def _new_events(self, feed: Feed) -> list[TimedLine]:
        """Return the events and steps since the last call, by time."""
        state = feed.state
        new = feed.event_count - self._events_taken
        kept = min(new, len(feed.events))
        self._events_taken = feed.event_count
        events: Iterable[AnyEvent] = islice(feed.events, len(feed.events) - kept, None)
        timed = [*event_lines(events), *step_lines(state.steps, self._step_time)]
        self._step_time = max(
            (seconds for seconds, line in timed if line.origin == "step"), default=self._step_time
        )
        timed.sort(key=itemgetter(0))
        if new > kept:
            missed = LogLine("note", f"{count(new - kept)} events came too fast to be kept here")
            timed.insert(0, (timed[0][0] if timed else 0.0, missed))
        return timed

    def _add(
        self, timed: list[TimedLine], unfinished: LogLine | None, *, even_nothing: bool = False
    ) -> None:
        if not timed and unfinished == self._unfinished and not even_nothing:
            return
        self._unfinished = unfinished
        lines, self._day = with_days(timed, self._day)
        self.body.add(lines, unfinished)

    # --- where one is -------------------------------------------------------------------------

    def on_log_body_moved(self) -> None:
        """Say in the border where one is, and beside the search what it found."""
        body = self.body
        follow = "following"
        if not body.following:
            new = f"+{count(body.unseen)} new" if body.unseen else "held"
            follow = f"{new} · end follows"
        words = [follow, WHICH_WORDS[body.which], "wrapped" if body.wrap else ""]
        self.say(" · ".join(word for word in words if word))
        self._say_matches()

    def _say_matches(self) -> None:
        search, found = self.body.search, ""
        if search:
            place = None if self.body.cursor is None else search.place(self.body.cursor)
            total = count(len(search.matches))
            found = f"{count(place)}/{total}" if place else total
            found = f" {found}  n next  N previous" if search.matches else " not found"
        label = self.query_one("#log-matches", Static)
        if str(label.content) != found:
            label.update(found)

    # --- search -------------------------------------------------------------------------------

    def on_log_body_search_asked(self) -> None:
        """Let somebody type what to search for."""
        self.query_one(Horizontal).display = True
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while it is typed."""
        event.stop()
        self.body.find(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the lines with what was found; with nothing typed, end the search."""
        event.stop()
        if not event.value:
            self.query_one(Horizontal).display = False
        self.body.focus()

    def action_end_search(self) -> None:
        """End the search; without one the key means what it means elsewhere."""
        bar = self.query_one(Horizontal)
        if not bar.display:
            raise SkipAction
        bar.display = False
        typed = self.query_one(Input)
        if typed.has_focus:
            self.body.find("")
        else:
            self.body.end_search()
        with self.prevent(Input.Changed):
            typed.value = ""
        self.body.focus()


def _unfinished(bite: ConsoleBite) -> LogLine | None:
    return LogLine("console", bite.unfinished) if bite.unfinished else None


def _printed_now(bite: ConsoleBite) -> list[TimedLine]:
    lines = [LogLine("console", text) for text in bite.lines]
    if bite.skipped_bytes:
        lines.insert(0, LogLine("note", f"{size(bite.skipped_bytes)} printed here are left out"))
    return [(bite.modified, line) for line in lines]
