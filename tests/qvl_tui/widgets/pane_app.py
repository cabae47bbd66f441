"""One pane of a recorded run on a screen of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import JumpToStep
from qvl_tui.themes import THEMES
from qvl_tui.widgets.pane import Pane
from tests.qvl_tui.recorded import NOW

Check = Callable[[Pilot[None], "PaneApp"], Awaitable[None]]


class PaneApp(App[None]):
    """Shows one pane and keeps what it says to the outside."""

    def __init__(self, make: Callable[[Desk], Pane], feed: Feed) -> None:
        super().__init__()
        self.clock = NOW
        self.desk = Desk(Path(feed.layout.root.parent), now=lambda: self.clock)
        self.pane = make(self.desk)
        self.feed = feed
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        """Show the pane."""
        yield self.pane

    def on_mount(self) -> None:
        """Give the pane the keys."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "qvl-dark"

    def on_jump_to_step(self, message: JumpToStep) -> None:
        """Keep it."""
        self.said.append(message)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        strips = self.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def notices(self) -> list[str]:
        """What was said in notifications."""
        return [str(it.message) for it in self._notifications]


def look(
    make: Callable[[Desk], Pane], feed: Feed, check: Check, size: tuple[int, int] = (80, 24)
) -> None:
    """Show a pane of a run at a size and check it once it is drawn."""

    async def run() -> None:
        app = PaneApp(make, feed)
        async with app.run_test(size=size) as pilot:
            app.pane.show(feed)
            await app.workers.wait_for_complete()
            await pilot.pause()
            await check(pilot, app)

    asyncio.run(run())
