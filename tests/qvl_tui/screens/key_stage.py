"""A screen with a pane, a table and keys, for tests of help, key bar and palette."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import DataTable

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import OpenRun
from qvl_tui.screens.help import HelpScreen
from qvl_tui.screens.palette import ActionProvider, palette
from qvl_tui.themes import dress
from qvl_tui.widgets.key_bar import KeyBar
from qvl_tui.widgets.pane import Pane

ARROWS = Binding.Group("cursor", compact=True)


class Paper(Pane):
    title = "Paper [with brackets]"
    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "left", id="paper.left", tooltip="Step back", group=ARROWS),
        Binding("right", "move(1)", "right", id="paper.right", tooltip="Step on", group=ARROWS),
        Binding("w,W", "wrap", "wrap", id="paper.wrap", tooltip="Wrap [long] lines"),
    ]

    def show(self, feed: Feed) -> None: ...

    def action_move(self, by: int) -> None: ...

    def action_wrap(self) -> None: ...


class Place(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", id="place.stop", tooltip="Stop the run"),
        Binding("k", "checkpoint", "checkpoint", id="place.checkpoint", tooltip="Save now"),
        Binding("ctrl+y", "hide", "hide", id="place.hide", tooltip="A quiet one", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.may_stop = True

    def compose(self) -> ComposeResult:
        yield Paper()
        yield DataTable()
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return None if action == "stop" and not self.may_stop else True

    def action_stop(self) -> None:
        self.done.append("stop")

    def action_checkpoint(self) -> None:
        self.done.append("checkpoint")

    def action_hide(self) -> None:
        self.done.append("hide")


class Stage(App[None]):
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "leave", id="app.leave", tooltip="Leave; runs go on"),
        Binding("question_mark", "help", "help", id="app.help", tooltip="All keys"),
    ]

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.desk = Desk(runs)
        self.opened: list[str] = []
        dress(self)
        self.theme = "qvl-dark"

    def on_mount(self) -> None:
        self.push_screen(Place())

    def action_command_palette(self) -> None:
        self.push_screen(palette())

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_leave(self) -> None:
        self.exit()

    def on_open_run(self, message: OpenRun) -> None:
        self.opened.append(message.layout.name)


def play(
    runs: Path,
    script: Callable[[Pilot[None], Stage], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
) -> None:
    async def session() -> None:
        app = Stage(runs)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot, app)

    asyncio.run(session())


def shown(screen: Screen[Any]) -> str:
    strips = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def bar(app: App[Any]) -> str:
    return app.screen.query_one(KeyBar).render().plain
