"""The form of a new run and what a person does with it at the keyboard."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from qvl_tui.screens.new_run import NewRunScreen
from trainer.run.layout import RunLayout

NAMED = {"/": "slash", "-": "minus", "_": "underscore", ".": "full_stop", " ": "space"}


class Stage(App[None]):
    """The form alone; keeps which run it opened."""

    def __init__(self, runs: Path, like: Path | None) -> None:
        super().__init__()
        self.form = NewRunScreen(Desk(runs), like)
        self.opened: list[RunLayout] = []

    def on_mount(self) -> None:
        self.push_screen(self.form)

    def on_open_run(self, message: OpenRun) -> None:
        self.opened.append(message.layout)


class Hands:
    """What a person does at the keyboard."""

    def __init__(self, app: Stage, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.form = app, pilot, app.form

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*(NAMED.get(it, it) for it in text))

    async def paste(self, text: str) -> None:
        focused = self.app.screen.focused
        assert focused is not None
        focused.post_message(Paste(text))
        await self.pilot.pause()

    async def fill(self, key: str, text: str) -> None:
        await self.form.form.go_to(key)
        await self.pilot.pause()
        await (self.paste(text) if len(text) > 12 else self.type(text))

    async def settle(self, seconds: float = 60.0) -> None:
        """Wait until what was typed is judged, and data and model are looked at."""
        for _ in range(int(seconds / 0.05)):
            await self.pilot.pause(0.05)
            if self.form.settled:
                return
        raise AssertionError("the form did not settle")

    async def judged(self) -> None:
        """Wait until what was typed is judged."""
        for _ in range(400):
            await self.pilot.pause(0.02)
            if self.form.shows(self.form.draft):
                return
        raise AssertionError("the form was not judged")

    def problem(self, key: str) -> str:
        """What stands below a field."""
        form = self.form.form
        field = next(it for it in form.fields if it.option.key == key)
        shown = field.query_one(".problem")
        return field.problem if shown.display else ""

    def notices(self) -> str:
        return "\n".join(str(it.message) for it in self.app._notifications)


Session = Callable[[Hands], Awaitable[None]]


def at_the_form(
    runs: Path, session: Session, *, like: Path | None = None, size: tuple[int, int] = (120, 40)
) -> Stage:
    async def run() -> Stage:
        app = Stage(runs, like)
        async with app.run_test(size=size) as pilot:
            hands = Hands(app, pilot)
            await hands.judged()
            await session(hands)
            await app.workers.wait_for_complete()
        return app

    return asyncio.run(run())
