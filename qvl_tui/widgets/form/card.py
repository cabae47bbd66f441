"""What the run will look at, need and take, as `qvl preflight` tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from qvl_tui.actions import Outcome, run_qvl
from trainer.run.text import sanitise
from trainer.words.forecast import forecast_lines

IDLE_SECONDS = 1.0  # without a change, before data and model are looked at
LONGEST_LINE = 600
STYLES = {"✓": "success", "✗": "error", "⚠": "warning"}


@dataclass(frozen=True)
class Errand:
    """What is to be looked at, and on which GPU."""

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    runs: Path


class PreflightCard(VerticalScroll, can_focus=True):
    """Looks when the form has been left alone for a while, one look at a time."""

    BORDER_TITLE = "Preflight"
    DEFAULT_CSS = """
    PreflightCard {
        height: auto; min-height: 7; max-height: 55%; padding: 0 1; scrollbar-size-vertical: 1;
    }
    PreflightCard Static { width: 1fr; height: auto; }
    PreflightCard .plain { padding: 0 0 0 2; }
    PreflightCard .error { color: $error; }
    PreflightCard .success { color: $success; }
    PreflightCard .warning { color: $warning; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: tuple[str, ...] = ()
        self._wanted: Errand | None = None
        self._seen: Errand | None = None
        self._idle: Timer | None = None
        self._looking = False

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to look at."""
        return self._idle is None and not self._looking

    async def wait(self, lines: Sequence[str]) -> None:
        """Show lines in place of a look, until there is something to look at."""
        self._want(None)
        self._seen = None
        await self._show(lines)

    async def look_soon(self, errand: Errand) -> None:
        """Look once nothing has changed for a while."""
        if errand != self._wanted:
            self._want(errand)
            if self._seen is None:
                await self._show(["  data and model are looked at in a moment"])
            self._idle = self.set_timer(IDLE_SECONDS, self._look)

    def look_again(self) -> None:
        """Look at once, also at what was seen before."""
        self._seen = None
        if self._wanted is not None:
            self._look()

    def _want(self, errand: Errand | None) -> None:
        self._wanted = errand
        self._stop_idling()

    def _stop_idling(self) -> None:
        if self._idle is not None:
            self._idle.stop()
            self._idle = None

    def _look(self) -> None:
        self._stop_idling()
        if self._looking or self._wanted is None:
            return
        if self._wanted != self._seen:
            self._looking = True
            self.border_subtitle = Content("◌ looking …")
            # In a worker of the app: a command that is on its way is waited for.
            self.app.run_worker(self._run(self._wanted), group="commands", exit_on_error=False)

    async def _run(self, errand: Errand) -> None:
        try:
            outcome = await run_qvl(
                "preflight",
                *errand.arguments,
                "--json",
                runs=errand.runs,
                environment=dict(errand.environment),
            )
            lines = complaint(outcome) if outcome.value is None else forecast_lines(outcome.value)
        except OSError as error:
            lines = [f"✗ qvl preflight: {error}"]
        finally:
            self._looking = False
        if self.screen not in self.app.screen_stack:
            return
        self._seen = errand
        self.border_subtitle = ""
        if errand == self._wanted:
            await self._show(lines)
        elif self._idle is None:
            self._look()

    async def _show(self, lines: Sequence[str]) -> None:
        """Show lines; the glyph that one begins with gives its colour."""
        shown = tuple(sanitise(line, LONGEST_LINE) for line in lines)
        if shown != self.lines:
            self.lines = shown
            async with self.batch():
                await self.remove_children()
                await self.mount_all(_line(it) for it in shown)


def _line(text: str) -> Static:
    return Static(Text(text.strip()), markup=False, classes=STYLES.get(text[:1], "plain"))


def complaint(outcome: Outcome) -> list[str]:
    """Return what a command complained about, a problem a line."""
    lines = outcome.message.splitlines() or [f"it ended with code {outcome.code}"]
    return [f"✗ {line}" for line in lines]
