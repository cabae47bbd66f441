"""The top of a run, on the screen while the rest of the run's screen is still being loaded."""

import asyncio
from collections.abc import Callable

from textual.app import ComposeResult
from textual.screen import Screen

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.header import RunHeader
from trainer.run.about import read_about
from trainer.run.layout import RunLayout

PATIENCE_SECONDS = 0.25  # with a disk that does not answer
LAYOUT_LOOK_SECONDS = 0.01  # between looks at whether the screen was laid out


class OpeningScreen(Screen[None]):
    """A run's name and newest numbers; what draws charts takes a third of a second to load."""

    settled = False  # what a person wants to see comes after it

    def __init__(self, desk: Desk, layout: RunLayout, then: Callable[[], None]) -> None:
        """Show a run and call `then` once it is painted."""
        super().__init__()
        self.desk = desk
        self.layout_of_run = layout
        self._then = then
        self._header = RunHeader(read_about(layout).title or layout.name)

    def compose(self) -> ComposeResult:
        """Put the header where it stays."""
        yield self._header

    def on_mount(self) -> None:
        """Begin to read the run."""
        feed = self.desk.reader.open(self.layout_of_run)
        self.run_worker(self._show(feed), group="first look")

    def on_unmount(self) -> None:
        """Stop reading the run; its own screen reads on."""
        self.desk.reader.close(self.layout_of_run)

    async def _show(self, feed: Feed) -> None:
        await feed.turn_within(PATIENCE_SECONDS)
        while not self._header.size.width:  # a quick disk can answer before the first layout
            await asyncio.sleep(LAYOUT_LOOK_SECONDS)
        self._header.show(feed, self.desk.now())
        self.call_after_refresh(self._then)
