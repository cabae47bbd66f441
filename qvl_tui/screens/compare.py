"""Several runs over each other: the same charts, their numbers, the options that differ."""

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from qvl_tui.charts.glyphs import MARKERS
from qvl_tui.desk import Desk
from qvl_tui.screens.panes import PanesScreen
from qvl_tui.widgets.chart_grid import ChartGrid
from qvl_tui.widgets.compare_columns import Compared
from qvl_tui.widgets.compare_numbers import Numbers
from qvl_tui.widgets.compare_options import Differences, Options, read_options
from qvl_tui.widgets.key_bar import KeyBar
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.pane_bindings import pane_bindings
from qvl_tui.widgets.tab_strip import TabStrip
from trainer.run.layout import RunLayout
from trainer.run.text import sanitise

MOST_RUNS = len(MARKERS)
NAME_CHARACTERS = 60
PROBLEM_CHARACTERS = 100
NUMBERS_SECONDS = 0.5
CHARTS_SECONDS = 2.0


class CompareScreen(PanesScreen):
    """Runs that were marked, each with a colour and a marker of its own."""

    DEFAULT_CSS = """
    CompareScreen {
        layout: vertical;
        #legend { height: auto; padding: 0 1; background: $surface; }
        #body { height: 1fr; }
        #charts { height: 1fr; }
        #numbers, #differences { height: 15; max-height: 50%; }
        &.alone #numbers, &.alone #differences { height: 1fr; max-height: 100%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "b",
            "baseline(1)",
            "baseline",
            id="compare.baseline",
            tooltip="Next run is the baseline",
        ),
        Binding(
            "B",
            "baseline(-1)",
            "baseline before",
            show=False,
            id="compare.baseline-before",
            tooltip="The run before is the baseline",
        ),
        Binding("f", "full", "full pane", id="compare.full", tooltip="The pane alone, and back"),
        Binding("escape", "back", "back", id="compare.back", tooltip="Back to the list of runs"),
        *pane_bindings("compare", ("Charts", "Numbers", "Configuration")),
    ]

    class OptionsRead(Message):
        """The configurations were read."""

        def __init__(self, options: Sequence[Options]) -> None:
            self.options = options
            super().__init__()

    def __init__(self, desk: Desk, layouts: Sequence[RunLayout]) -> None:
        super().__init__()
        self.desk = desk
        self.settled = False  # whether everything there was at first is on the screen
        self._layouts = tuple(layouts[:MOST_RUNS])
        self._refused = len(layouts) - len(self._layouts)
        self._runs: list[Compared] = []
        self._baseline = 0
        self._ticks: list[Timer] = []
        self._legend = Content()
        self._charts = ChartGrid(desk, id="charts")
        self._numbers = Numbers(id="numbers")
        self._differences = Differences(id="differences")
        self._number([self._charts, self._numbers, self._differences])
        self._table: Pane = self._numbers  # of the two tables

    def compose(self) -> ComposeResult:
        """Put the tables below the charts."""
        yield Static(id="legend")
        yield TabStrip(id="all-tabs")
        with Vertical(id="body"):
            yield self._charts
            yield TabStrip(id="tabs")
            yield self._numbers
            yield self._differences
        yield KeyBar()

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to read the runs."""
        self._runs = [
            Compared(self.desk.reader.open(layout), _name(layout), place)
            for place, layout in enumerate(self._layouts)
        ]
        if self._refused:
            self.notify(
                f"at most {MOST_RUNS} runs are told apart; {self._refused} more are left out",
                severity="warning",
                markup=False,
            )
        for pane in self._panes:
            pane.say(pane.note)
        self._read_options()
        self._ticks = [
            self.set_interval(NUMBERS_SECONDS, self._show_numbers),
            self.set_interval(CHARTS_SECONDS, self._show_charts),
        ]
        self._show_pane(self._charts)

    def on_unmount(self) -> None:
        """Stop reading the runs."""
        for layout in self._layouts:
            self.desk.reader.close(layout)

    @work(thread=True, group="options", exit_on_error=False)
    def _read_options(self) -> None:
        self.post_message(self.OptionsRead([read_options(layout) for layout in self._layouts]))

    def on_compare_screen_options_read(self, message: OptionsRead) -> None:
        """Show in which options the runs differ."""
        self._differences.take(message.options)
        self._show_numbers()

    def on_screen_suspend(self) -> None:
        """Draw nothing while another screen is on top."""
        for timer in self._ticks:
            timer.pause()

    def on_screen_resume(self) -> None:
        """Draw what happened meanwhile."""
        for timer in self._ticks:
            timer.resume()
        self.call_after_refresh(self._show_all)

    # --- drawing ------------------------------------------------------------------------------

    def _show_numbers(self) -> None:
        if not self.is_current or not self._runs:
            return
        self._show_legend()
        for pane in (self._numbers, self._differences):
            if pane.display:
                pane.show_runs(self._runs, self._baseline)
        self.query_one("#all-tabs", TabStrip).show_panes(self._panes, self._shown)
        self.query_one("#tabs", TabStrip).show_panes(self._panes[1:], self._table)
        if not self.settled and all(run.feed.loaded or run.feed.problem for run in self._runs):
            self._show_charts()
            self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        self.settled = True

    def _show_charts(self) -> None:
        if self.is_current and self._runs and self._charts.display:
            labels = [run.name for run in self._runs]
            self._charts.show_many([run.feed for run in self._runs], labels)

    def _show_all(self) -> None:
        self._show_numbers()
        self._show_charts()

    def _show_legend(self) -> None:
        """Say which marker is which run; whole names, over as many lines as they need."""
        entries = [
            Content.assemble(
                run.sign(self.app),
                f" {run.name}",
                (" (baseline)" if run.place == self._baseline else "", "$text-muted"),
                (f" ⚠ cannot be read: {problem}" if problem else "", "$error"),
            )
            for run in self._runs
            for problem in (sanitise(run.feed.problem, PROBLEM_CHARACTERS),)
        ]
        legend = _flow(entries, self.size.width - 2)
        if not legend.is_same(self._legend):
            self._legend = legend
            self.query_one("#legend", Static).update(legend)

    # --- which panes are in sight -------------------------------------------------------------

    def _arrange(self) -> None:
        """Show one pane alone, or a table below the charts."""
        self.set_class(self._alone, "alone")
        for pane in self._panes:
            seen = (self._shown,) if self._alone else (self._charts, self._table)
            pane.display = pane in seen
        self.query_one("#all-tabs").display = self._alone
        self.query_one("#tabs").display = not self._alone
        self.call_after_refresh(self._show_all)

    def _show_pane(self, pane: Pane) -> None:
        if pane is not self._charts:
            self._table = pane
        super()._show_pane(pane)

    # --- keys ---------------------------------------------------------------------------------

    def action_baseline(self, by: int) -> None:
        """Compare with another run."""
        self._baseline = (self._baseline + by) % len(self._runs)
        self._show_numbers()


def _name(layout: RunLayout) -> str:
    return sanitise(layout.name, NAME_CHARACTERS)


def _flow(entries: Sequence[Content], width: int) -> Content:
    """Return entries in lines of at most `width` cells where each fits."""
    lines: list[Content] = []
    for entry in entries:
        if lines and lines[-1].cell_length + 3 + entry.cell_length <= width:
            lines[-1] = Content.assemble(lines[-1], "   ", entry)
        else:
            lines.append(entry)
    return Content("\n").join(lines)
