"""A grid of charts in an app of its own, driven by keys."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import SettingsChanged
from qvl_tui.themes import dress
from qvl_tui.widgets.chart import Chart
from qvl_tui.widgets.chart_grid import ChartGrid


class GridApp(App[None]):
    """A grid of charts and nothing else."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "step_back", "back")]

    def __init__(self, desk: Desk, feeds: list[Feed], *, compared: bool) -> None:
        super().__init__()
        dress(self)
        self.desk, self.feeds, self.compared = desk, feeds, compared
        self.saved = 0
        self.left = False
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield ChartGrid(self.desk)

    def on_mount(self) -> None:
        grid = self.query_one(ChartGrid)
        if self.compared:
            grid.show_many(self.feeds, [feed.layout.name for feed in self.feeds])
        else:
            grid.show(self.feeds[0])
        grid.focus()

    def on_settings_changed(self, _message: SettingsChanged) -> None:
        self.saved += 1

    def action_step_back(self) -> None:
        self.left = True

    def text(self) -> str:
        strips = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    def titles(self) -> list[str]:
        """The title lines of the charts on the screen, as they are read."""
        charts = [chart for chart in self.query(Chart) if chart.display]
        return [" ".join(chart.render_line(0).text.split()) for chart in charts]


@dataclass
class Stage:
    """A running app, and the keys that drive it."""

    app: GridApp
    pilot: Pilot[None]

    @property
    def grid(self) -> ChartGrid:
        return self.app.query_one(ChartGrid)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settled()

    async def settled(self) -> None:
        await self.pilot.pause()
        await self.pilot.pause()


def played(
    desk: Desk,
    feeds: list[Feed],
    scene: Callable[[Stage], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    *,
    compared: bool = False,
) -> None:
    async def play() -> None:
        app = GridApp(desk, feeds, compared=compared)
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            await stage.settled()
            await scene(stage)

    asyncio.run(play())


def first_words(titles: list[str]) -> list[str]:
    return [title.lstrip("▌").split()[0] for title in titles]
