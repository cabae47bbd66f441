"""The app: which screen is shown, in which colours, and how it is left."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen

from qvl_tui.desk import Desk
from qvl_tui.last_words import fault_of_the_screen, runs_that_go_on
from qvl_tui.lost_terminal import LOOK_SECONDS, terminal_is_gone
from qvl_tui.memory import return_large_memory
from qvl_tui.messages import OpenCompare, OpenData, OpenNewRun, OpenRun, SettingsChanged
from qvl_tui.settings import Settings, save_settings
from qvl_tui.themes import dress
from trainer.run.layout import RunLayout
from trainer.run.text import sanitise

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
        Binding("question_mark,f1", "help", "help", id="app.help", tooltip="All keys and glyphs"),
        Binding(
            "ctrl+q",
            "quit",
            "leave",
            show=False,
            priority=True,
            id="app.quit",
            tooltip="Leave from anywhere, also where text is typed",
        ),
        Binding(
            "ctrl+p",
            "command_palette",
            "palette",
            show=False,
            id="app.palette",
            tooltip="Find an action, a run or a theme by typing",
        ),
    ]

    def __init__(
        self,
        desk: Desk,
        *,
        first: RunLayout | None = None,
        data: OpenData | None = None,
        notice: str = "",
    ) -> None:
        """Begin with the list of runs, or with the run `first`; leaving it makes the list.

        `data` lies on top of the list.
        """
        super().__init__()
        self.desk = desk
        self._first = first
        self._data = data
        self._notice = notice
        dress(self)

    def on_mount(self) -> None:
        """Show the first screen."""
        self._heed_termination()
        self._dress_as_before()
        if self._first:
            self._show_run(self._first)
        else:
            self._back_to_runs()
        if self._data:
            self.post_message(self._data)
        self.call_after_refresh(_collect_garbage_rarely)
        self.call_after_refresh(return_large_memory)
        if self._notice:
            self.notify(self._notice, severity="warning", markup=False, timeout=10)

    def _dress_as_before(self) -> None:
        """Put on the theme that was chosen; one that this version does not have is told."""
        chosen = self.desk.settings.theme
        if chosen in self.available_themes:
            self.theme = chosen
        else:
            self.theme = self.desk.settings.theme = Settings().theme
            self.notify(f"there is no theme {chosen}; {self.theme} is used", severity="warning")

    # --- where to go --------------------------------------------------------------------------

    def on_open_run(self, message: OpenRun) -> None:
        """Show a run."""
        self._back_to_runs()
        self._show_run(message.layout)

    def _show_run(self, layout: RunLayout) -> None:
        """Show a run, and its top first where the rest of its screen has to be loaded."""
        if "qvl_tui.screens.run" in sys.modules:
            self._show_whole_run(layout)
        else:
            from qvl_tui.screens.opening import OpeningScreen

            then = partial(self._show_whole_run, layout)
            self.push_screen(OpeningScreen(self.desk, layout, then))

    def _show_whole_run(self, layout: RunLayout) -> None:
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
        from qvl_tui.screens.runs import RunsScreen

        while len(self.screen_stack) > 1 and not isinstance(self.screen, RunsScreen):
            self.pop_screen()
        if not isinstance(self.screen, RunsScreen):
            self.push_screen(RunsScreen(self.desk))

    def action_command_palette(self) -> None:
        """Show the command palette."""
        from qvl_tui.screens.palette import palette

        if not isinstance(self.screen, ModalScreen):  # what it offers is of the screen below
            self.push_screen(palette())

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

    # --- text from outside --------------------------------------------------------------------

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Tell something for a while; errors and names in it may come from outside."""
        super().notify(
            sanitise(message, None, keep_newlines=True),
            title=sanitise(title, None),
            severity=severity,
            timeout=timeout,
            markup=markup,
        )

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text; a key that copies or cuts where nothing is selected takes nothing away."""
        if text:
            super().copy_to_clipboard(text)

    async def on_event(self, event: events.Event) -> None:
        """Take control characters out of what is pasted, wherever it goes."""
        if isinstance(event, events.Paste):
            event.text = sanitise(event.text, None, keep_newlines=True)
        await super().on_event(event)

    # --- leaving ------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Leave; the runs go on."""
        self.exit(runs_that_go_on(self.desk.runs))

    async def action_quit(self) -> None:
        """Leave, by the key that terminal programs share."""
        self.action_leave()

    def action_help_quit(self) -> None:
        """Say how to leave to somebody who presses ctrl+c out of habit."""
        self.notify("ctrl+q leaves qvl, and q where nothing is typed; runs go on", markup=False)

    def _heed_termination(self) -> None:
        """Leave the terminal as it was when somebody ends the process, or the line is cut."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                leave = partial(self.exit, return_code=128 + number)
                loop.add_signal_handler(number, leave)
            self.set_interval(LOOK_SECONDS, self._leave_a_lost_terminal)

    def _leave_a_lost_terminal(self) -> None:
        """Go as after SIGHUP; Textual would read the end of input again and again."""
        if terminal_is_gone():
            self.exit(return_code=128 + signal.SIGHUP)

    def _fatal_error(self) -> None:
        """Leave after an error of our own: a few plain lines, the traceback in a file."""
        error = self._exception
        if error is None or os.environ.get("QVL_DEBUG") == "1":
            super()._fatal_error()
            return
        self._exit_renderables.append(Text(fault_of_the_screen(error)))
        self._close_messages_no_wait()
