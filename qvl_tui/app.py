"""The app: which screen is shown, in which colours, and how it is left."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider

from qvl_tui.desk import Desk
from qvl_tui.last_words import fault_of_the_screen, runs_that_go_on
from qvl_tui.messages import OpenCompare, OpenData, OpenNewRun, OpenRun, SettingsChanged
from qvl_tui.screens.runs import RunsScreen
from qvl_tui.settings import save_settings
from qvl_tui.themes import dress
from trainer.run.layout import RunLayout

GARBAGE_THRESHOLD = 20_000  # new objects; Python's own is 700


def _palette() -> type[Provider]:
    from qvl_tui.screens.palette import ActionProvider

    return ActionProvider


def _collect_garbage_rarely() -> None:
    """Leave what was made at the start alone: going through it each time slows reading down."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    gc.enable()


class QvlApp(App[str]):
    """The screen of qvl. It only reads files and runs commands, so leaving it harms no run.

    It returns what a person should read once it is gone.
    """

    CSS_PATH = "app.tcss"
    TITLE = "qvl"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "leave", id="app.leave", tooltip="Leave qvl; runs go on"),
        Binding("question_mark", "help", "help", id="app.help", tooltip="All keys and glyphs"),
        Binding(
            "ctrl+p",
            "command_palette",
            "palette",
            show=False,
            id="app.palette",
            tooltip="Find an action, a run or a theme by typing",
        ),
    ]

    def __init__(self, desk: Desk, *, first: RunLayout | None = None, notice: str = "") -> None:
        """Begin with the list of runs, or with the run `first`; leaving it makes the list."""
        super().__init__()
        self.desk = desk
        self._first = first
        self._notice = notice
        dress(self)

    def on_mount(self) -> None:
        """Show the first screen."""
        self._heed_termination()
        self.theme = self.desk.settings.theme
        if self._first:
            self._show_run(self._first)
        else:
            self.push_screen(RunsScreen(self.desk))
        self.call_after_refresh(_collect_garbage_rarely)
        if self._notice:
            self.notify(self._notice, severity="warning", markup=False, timeout=10)

    # --- where to go --------------------------------------------------------------------------

    def on_open_run(self, message: OpenRun) -> None:
        """Show a run."""
        self._back_to_runs()
        self._show_run(message.layout)

    def _show_run(self, layout: RunLayout) -> None:
        from qvl_tui.screens.run import RunScreen

        self.push_screen(RunScreen(self.desk, layout), lambda _: self._back_to_runs())

    def on_open_new_run(self, message: OpenNewRun) -> None:
        """Show the form of a new run."""
        from qvl_tui.screens.new_run import NewRunScreen

        self._back_to_runs()
        self.push_screen(NewRunScreen(self.desk, message.like))

    def on_open_compare(self, message: OpenCompare) -> None:
        """Show runs beside each other."""
        from qvl_tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(self.desk, message.layouts))

    def on_open_data(self, message: OpenData) -> None:
        """Show records as the model reads them, on top of what is shown."""
        from qvl_tui.screens.data import DataScreen

        self.push_screen(DataScreen(self.desk, message.arguments, message.title))

    async def settled(self) -> None:
        """Return once the screen shows all that there was to read when it was opened."""
        while not getattr(self.screen, "settled", True):
            await asyncio.sleep(0.02)

    def _back_to_runs(self) -> None:
        """Show the list of runs; where the app began with a run, it is made only now."""
        while len(self.screen_stack) > 1 and not isinstance(self.screen, RunsScreen):
            self.pop_screen()
        if not isinstance(self.screen, RunsScreen):
            self.push_screen(RunsScreen(self.desk))

    def action_help(self) -> None:
        """Show all keys."""
        from qvl_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    # --- settings -----------------------------------------------------------------------------

    def on_settings_changed(self, _message: SettingsChanged) -> None:
        """Keep the view settings for the next time."""
        self._keep_settings()

    def watch_theme(self, theme: str) -> None:
        """Remember the theme that was chosen."""
        if self.is_running and theme != self.desk.settings.theme:
            self.desk.settings.theme = theme
            self._keep_settings()

    def _keep_settings(self) -> None:
        complaint = save_settings(self.desk.settings)
        if complaint:
            self.notify(complaint, severity="warning", markup=False)

    # --- leaving ------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Leave; the runs go on."""
        self.exit(runs_that_go_on(self.desk.runs))

    async def action_quit(self) -> None:
        """Leave, by the key that terminal programs share."""
        self.action_leave()

    def _heed_termination(self) -> None:
        """Leave the terminal as it was when somebody ends the process."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            code = 128 + signal.SIGTERM
            loop.add_signal_handler(signal.SIGTERM, partial(self.exit, return_code=code))

    def _fatal_error(self) -> None:
        """Leave after an error of our own: a few plain lines, the traceback in a file."""
        error = self._exception
        if error is None or os.environ.get("QVL_DEBUG") == "1":
            super()._fatal_error()
            return
        self._exit_renderables.append(Text(fault_of_the_screen(error)))
        self._close_messages_no_wait()
