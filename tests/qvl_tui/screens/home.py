"""The list of runs alone in an app, driven by keys over recorded runs."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from textual.app import App
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun, SettingsChanged
from qvl_tui.screens.runs import RunsScreen
from qvl_tui.settings import Settings
from qvl_tui.themes import dress
from qvl_tui.widgets.runs_table import RunsTable
from tests.qvl_tui.recorded import NOW, live, record_run
from trainer.run.layout import RunLayout

DAY = 86_400.0
WIDE, NARROW = (200, 60), (80, 24)


class Home(App[None]):
    """The list of runs alone; what it tells the app is written down."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.told: list[Message] = []

    def on_mount(self) -> None:
        dress(self)
        self.theme = "qvl-dark"
        self.push_screen(RunsScreen(self.desk))

    def on_open_run(self, message: OpenRun) -> None:
        self.told.append(message)

    def on_open_new_run(self, message: OpenNewRun) -> None:
        self.told.append(message)

    def on_open_compare(self, message: OpenCompare) -> None:
        self.told.append(message)

    def on_settings_changed(self, message: SettingsChanged) -> None:
        self.told.append(message)

    @property
    def home(self) -> RunsScreen:
        screen = self.screen_stack[1]
        assert isinstance(screen, RunsScreen)
        return screen

    @property
    def table(self) -> RunsTable:
        return self.home.query_one(RunsTable)

    def names(self) -> list[str]:
        return [line.layout.name for line in self.table.shown]

    def chosen(self) -> str:
        line = self.table.chosen
        return line.layout.name if line else ""

    def said(self) -> str:
        return "\n".join(note.message for note in self._notifications)

    def picture(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    def line_of(self, name: str) -> str:
        return next(line for line in self.picture() if name in line)


Script = Callable[[Home, Pilot[None]], Awaitable[None]]


def drive(
    runs: Path,
    script: Script,
    size: tuple[int, int] = (120, 40),
    settings: Settings | None = None,
) -> None:
    async def play() -> None:
        app = Home(Desk(runs, settings=settings or Settings(), now=lambda: NOW))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.home.settled)
            await script(app, pilot)

    asyncio.run(play())


async def until(pilot: Pilot[None], there: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not there():
            await pilot.pause(0.02)
    await pilot.pause()


async def look(app: Home, pilot: Pilot[None]) -> None:
    """Let the screen read the folder once more."""
    await app.workers.wait_for_complete()
    await pilot.press("f5")
    await app.workers.wait_for_complete()
    await pilot.pause()


async def filter_by(app: Home, pilot: Pilot[None], query: str) -> None:
    """Write a query, or its next part, at once."""
    if not isinstance(app.focused, Input):
        await pilot.press("slash")
    app.home.query_one(Input).insert_text_at_cursor(query)
    await pilot.pause()


def record_six(folder: Path) -> None:
    """Record a run in each of six states."""
    record_run(folder, "shapes-lora", steps=400, total=600)
    record_run(folder, "starting-4b", end="starting")
    record_run(folder, "failed-one", steps=120, total=900, end="failed", ended_ago_seconds=7200)
    record_run(
        folder, "finished-one", steps=300, total=300, end="finished", ended_ago_seconds=DAY + 3600
    )
    record_run(
        folder,
        "stopped-one",
        steps=60,
        end="stopped",
        rank=8,
        evaluations=False,
        ended_ago_seconds=2 * DAY,
    )
    record_run(folder, "crashed-one", steps=80, end="crashed", ended_ago_seconds=3 * DAY)


@contextmanager
def two_live(recorded: Path, folder: Path) -> Iterator[Path]:
    """Copy the six runs; two of the copies live."""
    shutil.copytree(recorded, folder)
    with ExitStack() as locks:
        for name in ("shapes-lora", "starting-4b"):
            locks.enter_context(live(RunLayout(folder / name)))
        yield folder
