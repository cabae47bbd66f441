"""The home screen: every run in a line, and what can be done with it."""

from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from qvl_tui.desk import Desk
from qvl_tui.listing import Listing, Runs
from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun, SettingsChanged
from qvl_tui.query import Query, QueryError, parse_query
from qvl_tui.run_line import Disk, RunLine
from qvl_tui.screens.delete import ask_and_delete
from qvl_tui.screens.orders import resume, show_stop, write_name, write_note
from qvl_tui.screens.why_not import LISTED_ACTIONS, why_not_listed
from qvl_tui.widgets.filter_box import FilterBox
from qvl_tui.widgets.key_bar import KeyBar
from qvl_tui.widgets.run_details import details
from qvl_tui.widgets.runs_columns import SORT_KEYS, sorted_lines
from qvl_tui.widgets.runs_table import RunsTable
from qvl_tui.widgets.runs_title import nothing_there, runs_title, title_at_first
from qvl_tui.widgets.sheet import Lines, plain_items
from trainer.run.text import sanitise

LOOK_SECONDS = 1.0
NO_MATCH = "no run fits this filter; escape shows all"
WIDTHS = [(0, "-narrow"), (110, "-wide")]  # wide: the filter stands beside the title
HEIGHTS = [(0, "-low"), (20, "-medium"), (30, "-tall")]  # of no, some and all details


class RunsScreen(Screen[None]):
    """Every run of the folder, read anew each second."""

    DEFAULT_CSS = """
    RunsScreen {
        #top { height: auto; background: $surface; }
        #title { height: 1; padding: 0 1; }
        #filter { height: 1; padding: 0 1; }
        #slash { width: 2; color: $accent; text-style: bold; }
        #query { width: 1fr; background: transparent; }
        &.-wide #top { layout: horizontal; }
        &.-wide #title { width: 1fr; }
        &.-wide #filter { width: 46; }
        #complaint { display: none; padding: 0 1; color: $warning; }
        #nothing { display: none; height: 1fr; padding: 1 3; }
        RunsTable { height: 1fr; }
        #details { height: 7; padding: 0 1; border-top: solid $panel; }
        &.-medium #details { height: 4; }
        Lines { overflow-y: hidden; }
        &.-low #details { display: none; }
    }
    """
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = WIDTHS
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = HEIGHTS
    AUTO_FOCUS = "#runs-lines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="runs.open", tooltip="Open the run"),
        Binding("n", "new", "new", id="runs.new", tooltip="Start a new run"),
        Binding("space", "mark", "mark", id="runs.mark", tooltip="Mark the run, or unmark it"),
        Binding("c", "compare", "compare", id="runs.compare", tooltip="Compare the marked runs"),
        Binding("r", "resume", "resume", id="runs.resume", tooltip="Go on from its checkpoint"),
        Binding("x", "stop", "stop", id="runs.stop", tooltip="Stop the run; asks first"),
        Binding("e", "edit_copy", "edit a copy", id="runs.copy", tooltip="New run like this one"),
        Binding(
            "d", "delete", "delete", id="runs.delete", tooltip="Move the run, or all marked, away"
        ),
        Binding("N", "note", "note", id="runs.note", tooltip="Write a note about the run"),
        Binding("R", "rename", "name", id="runs.rename", tooltip="Give the run a display name"),
        Binding("slash", "filter", "filter", id="runs.filter", tooltip="Show only some runs"),
        Binding("o", "sort", "sort", id="runs.sort", tooltip="Sort by the next column"),
        Binding("O", "reverse", "reverse", id="runs.reverse", tooltip="Reverse the order"),
        Binding("f5", "look", "refresh", show=False, id="runs.refresh", tooltip="Look again now"),
        Binding(
            "escape",
            "clear_filter",
            "all runs",
            show=False,
            id="runs.clear",
            tooltip="Take the filter away",
        ),
    ]

    class Listed(Message):
        """The folder was read."""

        def __init__(self, listing: Listing, disks: dict[str, Disk]) -> None:
            self.listing = listing
            self.disks = disks
            super().__init__()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.settled = False  # whether the runs that there are were shown once
        self._runs = Runs(desk.runs)
        self._listing = Listing()
        self._disks: dict[str, Disk] = {}  # by name, of runs that were chosen
        self._marked: set[str] = set()
        self._query = Query()
        self._timer: Timer | None = None
        self._looker: Worker[None] | None = None
        self._put_there: dict[str, Content] = {}  # what stands where
        self._told: tuple[str, ...] = ()  # what decides which keys make sense

    def compose(self) -> ComposeResult:
        """Lay out title, filter, list, details and keys."""
        with Container(id="top"):
            yield Lines(id="title")
            with Horizontal(id="filter"):
                yield Static("/", id="slash")
                yield FilterBox(id="query")
        yield Static(id="complaint", markup=False)
        yield RunsTable(id="runs")
        yield Static(id="nothing")
        yield Lines(id="details")
        yield KeyBar(steady=True)  # the cursor goes from run to run

    def on_mount(self) -> None:
        """Begin to look at the folder."""
        self.query_one("#title", Lines).show_items(plain_items([title_at_first(self.desk.runs)]))
        self._timer = self.set_interval(LOOK_SECONDS, self.action_look)
        self.action_look()

    def on_screen_suspend(self) -> None:
        """Read nothing while another screen is shown."""
        if self._timer:
            self._timer.pause()

    def on_screen_resume(self) -> None:
        """Look at once when it is shown again."""
        if self._timer:
            self._timer.resume()
            self.action_look()

    # --- reading ------------------------------------------------------------------------------

    def action_look(self) -> None:
        """Read the folder, unless that is going on."""
        if self._looker is None or self._looker.is_finished:
            self._looker = self._look(self.query_one(RunsTable).chosen)

    @work(thread=True, group="look", exit_on_error=False)
    def _look(self, chosen: RunLine | None) -> None:
        disks = {chosen.layout.name: self._runs.disk(chosen.layout)} if chosen else {}
        self.post_message(self.Listed(self._runs.read(), disks))

    def on_runs_screen_listed(self, message: Listed) -> None:
        """Show what was read."""
        self._listing = message.listing
        self._disks |= message.disks
        self._marked &= {line.layout.name for line in message.listing.lines}
        self.settled = True
        self._draw()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tell of a worker that failed; nothing fails in silence."""
        if event.state is WorkerState.ERROR:
            self._complain(f"{event.worker.name}: {event.worker.error!r}")

    # --- drawing ------------------------------------------------------------------------------

    def _draw(self) -> None:
        complaint = self._parse()
        lines, now = self._listing.lines, self.desk.now()
        if self._query.terms:
            lines = [line for line in lines if self._query.matches(line.facts(now))]
            complaint = "" if lines or not self._listing.lines else NO_MATCH
        self._put("#complaint", Content(sanitise(complaint, None)))
        self.query_one("#complaint").display = bool(complaint)
        settings = self.desk.settings
        known = settings.runs_sort in SORT_KEYS
        order = (settings.runs_sort if known else "age"), settings.runs_reverse
        table = self.query_one(RunsTable)
        table.show(sorted_lines(lines, order[0], now, reverse=order[1]), self._marked, order, now)
        table.display = bool(self._listing.lines)
        self._draw_nothing()
        self._draw_title(len(lines))
        self._draw_details()
        self._look_at_keys()

    def _parse(self) -> str:
        """Read the query; return what is wrong with it: while it is, every run is shown."""
        options = {key for line in self._listing.lines for key in line.options}
        text = self.query_one(FilterBox).value
        try:
            self._query = parse_query(text, options)
        except QueryError as error:
            self._query = Query()
            return f"⚠ {error}; all runs are shown"
        return ""

    def _draw_nothing(self) -> None:
        nothing = self.query_one("#nothing", Static)
        nothing.display = not self._listing.lines
        if nothing.display:
            self._put("#nothing", nothing_there(self._listing, self.desk.runs))

    def _draw_title(self, shown: int) -> None:
        title = self.query_one("#title", Lines)
        width = title.size.width
        words = runs_title(self._listing.lines, shown, len(self._marked), width)
        title.show_items(plain_items([words]))

    def _draw_details(self) -> None:
        shown, line = self.query_one("#details", Lines), self.query_one(RunsTable).chosen
        said: list[Content] = []
        if line:
            disk = self._disks.get(line.layout.name)
            said = details(line, disk, self.desk.now(), shown.size.width)
        blank = [Content()] * shown.size.height
        shown.show_items(plain_items([*said, *blank][: shown.size.height]))

    def _put(self, place: str, content: Content) -> None:
        """Show content where it is another than before: what is equal is sent all the same."""
        if not content.is_same(self._put_there.get(place, Content())):
            self._put_there[place] = content
            self.query_one(place, Static).update(content)

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size once the parts have theirs."""
        if self.settled:
            self.call_after_refresh(self._draw)

    # --- finding one's way --------------------------------------------------------------------

    def on_runs_table_moved(self, _message: RunsTable.Moved) -> None:
        """Show the details of the run that the cursor is on, and what can be done with it."""
        self._draw_details()
        self._look_at_keys()

    def on_runs_table_opened(self, _message: RunsTable.Opened) -> None:
        """Open the run that was clicked twice."""
        self.action_open()

    def on_runs_table_sort_asked(self, message: RunsTable.SortAsked) -> None:
        """Sort by the heading that was clicked; once more reverses."""
        same = message.key == self.desk.settings.runs_sort
        self._sort(message.key, reverse=same and not self.desk.settings.runs_reverse)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        if event.input.id == "query" and self.settled:
            self._draw()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Go from the filter to the runs that are left."""
        self.query_one(RunsTable).focus_lines()

    def action_filter(self) -> None:
        """Go to the filter."""
        self.query_one(FilterBox).focus()

    def action_clear_filter(self) -> None:
        """Show all runs again."""
        self.query_one(FilterBox).value = ""
        self.query_one(RunsTable).focus_lines()

    def action_sort(self) -> None:
        """Sort by the next column that is shown."""
        shown = [key for key in self.query_one(RunsTable).columns if key in SORT_KEYS]
        now = self.desk.settings.runs_sort
        place = shown.index(now) + 1 if now in shown else 0
        if shown:
            self._sort(shown[place % len(shown)], reverse=False)

    def action_reverse(self) -> None:
        """Reverse the order."""
        settings = self.desk.settings
        self._sort(settings.runs_sort, reverse=not settings.runs_reverse)

    def _sort(self, key: str, *, reverse: bool) -> None:
        self.desk.settings.runs_sort, self.desk.settings.runs_reverse = key, reverse
        self.post_message(SettingsChanged())
        self._draw()

    def action_mark(self) -> None:
        """Mark the run or take its mark away, and go on to the next."""
        line = self.query_one(RunsTable).chosen
        if line:
            self._marked ^= {line.layout.name}
            self._draw()
            self.query_one(RunsTable).next()

    # --- what can be done with runs -----------------------------------------------------------

    @property
    def _marked_lines(self) -> list[RunLine]:
        return [line for line in self._listing.lines if line.layout.name in self._marked]

    def _why_not(self, action: str) -> str:
        return why_not_listed(action, self.query_one(RunsTable).chosen, self._marked_lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Dim the keys that make no sense for the run that is chosen."""
        return None if self.settled and self._why_not(action) else True

    def on_key(self, event: events.Key) -> None:
        """Say why a key that is dimmed does nothing; in the filter keys mean something else."""
        if isinstance(self.focused, Input):
            return
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            reason = self._why_not(binding.action)
            if reason:
                event.stop()
                self._complain(reason)

    def _look_at_keys(self) -> None:
        told = tuple(self._why_not(action) for action in LISTED_ACTIONS)
        if told != self._told:
            self._told = told
            self.refresh_bindings()

    def action_open(self) -> None:
        """Open the run."""
        line = self.query_one(RunsTable).chosen
        if line:
            self.post_message(OpenRun(line.layout))

    def action_new(self) -> None:
        """Start a new run."""
        self.post_message(OpenNewRun())

    def action_edit_copy(self) -> None:
        """Fill the form of a new run from this one."""
        line = self.query_one(RunsTable).chosen
        if line:
            self.post_message(OpenNewRun(like=line.layout.config))

    def action_compare(self) -> None:
        """Compare the marked runs, in the order they are listed."""
        self.post_message(OpenCompare([line.layout for line in self._marked_lines]))

    def action_resume(self) -> None:
        """Let the run go on from its newest checkpoint."""
        line = self.query_one(RunsTable).chosen
        if line:
            resume(self.app, self.desk, line)

    def action_stop(self) -> None:
        """Ask whether to stop the run, and show how it stops."""
        line = self.query_one(RunsTable).chosen
        if line:
            show_stop(self.app, self.desk, line)

    @work(group="delete", exit_on_error=False)
    async def action_delete(self) -> None:
        """Move the marked runs, or the one under the cursor, to the trash folder; asks."""
        line = self.query_one(RunsTable).chosen
        lines = self._marked_lines or ([line] if line else [])
        if await ask_and_delete(self.app, self.desk, lines):
            self.action_look()

    @work(group="texts", exit_on_error=False)
    async def action_note(self) -> None:
        """Write a note about the run."""
        line = self.query_one(RunsTable).chosen
        if line:
            await write_note(self.app, self.desk, line)

    @work(group="texts", exit_on_error=False)
    async def action_rename(self) -> None:
        """Give the run another name to be shown by; its folder stays."""
        line = self.query_one(RunsTable).chosen
        if line:
            await write_name(self.app, self.desk, line)

    def _complain(self, complaint: str) -> None:
        self.notify(sanitise(complaint, None), severity="warning", markup=False)
