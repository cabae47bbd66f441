"""The screen of one recorded run, driven by keys."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from textual.app import App
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenNewRun
from qvl_tui.screens.run import RunScreen
from qvl_tui.themes import THEMES
from tests.qvl_tui.recorded import NOW, live, record_run
from tests.qvl_tui.recorded_events import End
from trainer.run.layout import RunLayout

HELD = ("running", "starting", "stalled")
Check = Callable[[Pilot[None], "RunApp"], Awaitable[None]]


class RunApp(App[None]):
    """A run on top of an empty screen; keeps what the run's screen says to the outside."""

    def __init__(self, layout: RunLayout) -> None:
        super().__init__()
        self.clock = NOW
        self.desk = Desk(layout.root.parent, now=lambda: self.clock)
        self.run_screen = RunScreen(self.desk, layout)
        self.said: list[Message] = []

    def on_mount(self) -> None:
        """Show the run."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "qvl-dark"
        self.push_screen(self.run_screen)

    def on_open_new_run(self, message: OpenNewRun) -> None:
        """Keep it."""
        self.said.append(message)

    @property
    def text(self) -> str:
        """What the topmost screen shows."""
        return text_of(self.screen)

    @property
    def notices(self) -> list[str]:
        """What was said in notifications."""
        return [str(it.message) for it in self._notifications]


def text_of(screen: Screen[Any]) -> str:
    """Return what a screen shows, line by line."""
    strips = screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def drive(layout: RunLayout, check: Check, size: tuple[int, int] = (120, 40)) -> None:
    """Open a run at a size and check it once everything is read and drawn."""

    async def run() -> None:
        app = RunApp(layout)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.run_screen.settled)
            await app.workers.wait_for_complete()
            await pilot.pause()
            await check(pilot, app)

    asyncio.run(run())


def drive_recorded(
    runs: Path, end: End, check: Check, size: tuple[int, int] = (120, 40), **recipe: Any
) -> None:
    """Record a run, hold its lock if it is to live, and drive its screen."""
    layout = record_run(runs, "shapes-lora", end=end, **recipe)
    with live(layout) if end in HELD else nullcontext():
        drive(layout, check, size)


async def until(pilot: Pilot[None], there: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not there():
            await pilot.pause(0.02)
