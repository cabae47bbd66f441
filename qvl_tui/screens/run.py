"""One run: its state, charts, machine, samples, log, and what can be done with it."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import JumpToStep, OpenData, OpenNewRun
from qvl_tui.screens.ask import ask
from qvl_tui.screens.panes import PanesScreen
from qvl_tui.screens.stop import StopScreen
from qvl_tui.screens.why_not import DOUBTFUL_ACTIONS, why_not
from qvl_tui.widgets.alerts import Alerts
from qvl_tui.widgets.chart_grid import ChartGrid
from qvl_tui.widgets.checkpoints import Checkpoints
from qvl_tui.widgets.config import Config
from qvl_tui.widgets.header import RunHeader
from qvl_tui.widgets.key_bar import KeyBar
from qvl_tui.widgets.log_view import LogView
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.pane_bindings import pane_bindings
from qvl_tui.widgets.samples import Samples
from qvl_tui.widgets.skipped import Skipped
from qvl_tui.widgets.system import System
from qvl_tui.widgets.tab_strip import TabStrip
from trainer.run.about import read_about
from trainer.run.layout import RunLayout
from trainer.run.text import sanitise
from trainer.words.numbers import count

NUMBERS_SECONDS = 0.5
CHARTS_SECONDS = 2.0


class RunScreen(PanesScreen):
    """A run as it goes on. It draws only what is in sight and changed."""

    DEFAULT_CSS = """
    RunScreen {
        layout: vertical;
        #body { height: 1fr; }
        #top { height: 1fr; }
        Pane { height: 1fr; }
        #pane-charts { width: 3fr; }
        #right { width: 2fr; }
        #pane-system { height: auto; max-height: 50%; }
        #pane-system .body { height: auto; }
        #pane-log { height: 25%; min-height: 6; max-height: 16; }
        &.alone {
            #right { width: 1fr; }
            #pane-system, #pane-log { height: 1fr; max-height: 100%; }
            #pane-system .body { height: 1fr; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", id="run.stop", tooltip="Stop the run, with a checkpoint"),
        Binding("r", "resume", "resume", id="run.resume", tooltip="Go on from its checkpoint"),
        Binding("k", "checkpoint", "checkpoint", id="run.checkpoint", tooltip="Write one now"),
        Binding("v", "validate", "validate", id="run.validate", tooltip="Validate now, go on"),
        Binding("f", "full", "full pane", id="run.full", tooltip="The pane alone, and back"),
        Binding(
            "f9",
            "data",
            "data",
            show=False,
            id="run.data",
            tooltip="Look at its records, token by token",
        ),
        Binding("e", "edit", "edit a copy", id="run.edit", tooltip="A new run like this one"),
        Binding(
            "exclamation_mark",
            "newest_alert",
            "newest alert",
            key_display="!",
            id="run.alert",
            tooltip="Show the step of the newest alert in the charts",
        ),
        Binding("escape", "back", "back", id="run.back", tooltip="Back to the list of runs"),
        *pane_bindings(
            "run",
            [
                kind.title
                for kind in (
                    ChartGrid,
                    System,
                    Samples,
                    LogView,
                    Checkpoints,
                    Config,
                    Alerts,
                    Skipped,
                )
            ],
        ),
    ]

    def __init__(self, desk: Desk, layout: RunLayout) -> None:
        super().__init__()
        self.desk = desk
        self.layout_of_run = layout
        self.feed: Feed | None = None
        self.settled = False  # whether everything there was at first is on the screen
        self._ticks: list[Timer] = []
        self._told: tuple[object, ...] = ()  # what decides which keys make sense
        self._header = RunHeader(layout.name, id="header")
        self._charts = ChartGrid(desk, id="pane-charts")
        self._system = System(desk, id="pane-system")
        self._log = LogView(desk, id="pane-log")
        self._alerts = Alerts(desk, id="pane-alerts")
        self._skipped = Skipped(desk, id="pane-skipped")
        self._tabbed: list[Pane] = [
            Samples(desk, id="pane-samples"),
            Checkpoints(desk, id="pane-checkpoints"),
            Config(desk, id="pane-config"),
            self._alerts,
            self._skipped,
        ]
        samples, *rest = self._tabbed
        self._number([self._charts, self._system, samples, self._log, *rest])
        self._tab: Pane = samples  # of the tabbed ones

    def compose(self) -> ComposeResult:
        """Put the panes where they stand when there is room for several."""
        yield self._header
        yield TabStrip(id="all-tabs")
        with Vertical(id="body"):
            with Horizontal(id="top"):
                yield self._charts
                with Vertical(id="right"):
                    yield self._system
                    yield TabStrip(id="tabs")
                    yield from self._tabbed
            yield self._log
        yield KeyBar()

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to read the run."""
        self.feed = self.desk.reader.open(self.layout_of_run)
        for pane in self._panes:
            pane.say(pane.note)
        self._ticks = [
            self.set_interval(NUMBERS_SECONDS, self._show_numbers),
            self.set_interval(CHARTS_SECONDS, self._show_charts),
        ]
        self._arrange()
        self._shown.focus()
        self.run_worker(self._show_at_once(self.feed), group="at once")

    async def _show_at_once(self, feed: Feed) -> None:
        """Draw the first look, and all there was to read, without waiting for a timer."""
        while not (feed.loaded or feed.problem):
            await feed.turn()
            self._show_all()

    def on_unmount(self) -> None:
        """Stop reading the run."""
        self.desk.reader.close(self.layout_of_run)

    def on_screen_suspend(self) -> None:
        """Draw nothing while another screen is on top."""
        for timer in self._ticks:
            timer.pause()

    def on_screen_resume(self) -> None:
        """Draw what happened meanwhile."""
        title = read_about(self.layout_of_run).title
        self._header.display_name = title or self.layout_of_run.name
        for timer in self._ticks:
            timer.resume()
        self.call_after_refresh(self._show_all)

    # --- drawing ------------------------------------------------------------------------------

    def _show_numbers(self) -> None:
        feed = self.feed
        if feed is None or not self.is_current:
            return
        self._header.show(feed, self.desk.now())
        for pane in self._panes:
            if pane is not self._charts and self._is_visible(pane):
                pane.show(feed)
        self._show_badges(feed)
        self._look_at_keys(feed)
        if (feed.loaded or feed.problem) and not self.settled:
            self._show_charts()
            self.call_after_refresh(self._settle)

    def _show_charts(self) -> None:
        if self.feed and self.is_current and self._is_visible(self._charts):
            self._charts.show(self.feed)

    def _show_all(self) -> None:
        self._show_numbers()
        self._show_charts()

    def _settle(self) -> None:
        self.settled = True

    def _show_badges(self, feed: Feed) -> None:
        alerts, skipped = len(feed.state.alerts), feed.state.skipped_count
        self._alerts.badge = f"⚠{count(alerts)}" if alerts else ""
        self._skipped.badge = f"({count(skipped)})" if skipped else ""
        self.query_one("#all-tabs", TabStrip).show_panes(self._panes, self._shown)
        self.query_one("#tabs", TabStrip).show_panes(self._tabbed, self._tab)

    def _look_at_keys(self, feed: Feed) -> None:
        told = tuple(why_not(action, feed) for action in DOUBTFUL_ACTIONS)
        if told != self._told:
            self._told = told
            self.refresh_bindings()

    # --- which panes are in sight -------------------------------------------------------------

    def _is_visible(self, pane: Pane) -> bool:
        if self._alone:
            return pane is self._shown
        return pane not in self._tabbed or pane is self._tab

    def _arrange(self) -> None:
        """Show one pane alone, or several beside each other."""
        self.set_class(self._alone, "alone")
        for pane in self._panes:
            pane.display = self._is_visible(pane)
        right = [self._system, *self._tabbed]
        self.query_one("#right").display = any(pane.display for pane in right)
        self.query_one("#top").display = any(it.display for it in (self._charts, *right))
        self.query_one("#all-tabs").display = self._alone
        self.query_one("#tabs").display = not self._alone
        self.call_after_refresh(self._show_all)

    def _show_pane(self, pane: Pane) -> None:
        if pane in self._tabbed:
            self._tab = pane
        super()._show_pane(pane)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember the pane that a click went into."""
        pane = next((it for it in event.widget.ancestors_with_self if isinstance(it, Pane)), None)
        if pane and pane in self._panes:
            self._shown = pane

    # --- what can be done ---------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Dim the keys that make no sense now."""
        return None if self.feed and why_not(action, self.feed) else True

    def on_key(self, event: events.Key) -> None:
        """Say why a key that is dimmed does nothing."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            reason = why_not(binding.action, self.feed) if self.feed else ""
            if reason:
                event.stop()
                self.notify(sanitise(reason, None), severity="warning", markup=False)

    def action_stop(self) -> None:
        """Ask, then stop; a stop that goes on is shown."""
        if self.feed:
            self.app.push_screen(StopScreen(self.desk, self.feed))

    def action_checkpoint(self) -> None:
        """Let the run write a checkpoint."""
        self._ask("checkpoint", "checkpoint acknowledged; it comes after this step")

    def action_validate(self) -> None:
        """Let the run validate."""
        self._ask("evaluate", "validation acknowledged; it comes after this step")

    def action_resume(self) -> None:
        """Let the run go on from its newest checkpoint."""
        self._ask("resume", "goes on", "--detach")

    def _ask(self, command: str, done: str, *options: str) -> None:
        name = self.layout_of_run.name
        ask(self.app, self.desk, f"{name}: {done}", command, name, *options, "--json")

    def action_edit(self) -> None:
        """Open the form of a new run, filled like this one."""
        self.post_message(OpenNewRun(self.layout_of_run.config))

    def action_data(self) -> None:
        """Look at the records that the run trains on."""
        layout = self.layout_of_run
        self.app.post_message(OpenData((str(layout.root),), layout.name))

    def action_newest_alert(self) -> None:
        """Show the step of the newest alert in the charts."""
        if self.feed and self.feed.state.alerts:
            self.post_message(JumpToStep(self.feed.state.alerts[-1].step))

    def on_jump_to_step(self, message: JumpToStep) -> None:
        """Put the cursor of the charts on a step."""
        message.stop()
        self._show_pane(self._charts)
        self.call_after_refresh(self._charts.jump_to, message.step)
