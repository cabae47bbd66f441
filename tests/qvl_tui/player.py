"""The whole app, played in the loop of the test: no thread, no waiting, the same each time."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any, Self

import pytest
from textual import events
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.message import Message
from textual.pilot import Pilot

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from tests.qvl_tui.leaping_loop import LeapingLoop
from tests.qvl_tui.terminal import Terminal, unfit_in
from trainer.run.layout import RunLayout

MOMENT_SECONDS = 0.03  # in which what was asked for is done and drawn


def time_of_the_loop() -> float:
    """Return the seconds that passed for the app that is at work, or for none."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


class Player:
    """One app. Keys, sizes, messages and seconds go in; `look` tells what came out.

    Nothing happens before time passes.
    """

    def __init__(
        self, desk: Desk, *, first: RunLayout | None = None, size: tuple[int, int] = (120, 40)
    ) -> None:
        self._garbage = gc.get_threshold()
        self._loop = LeapingLoop()
        self._clock = pytest.MonkeyPatch()
        self._clock.setattr("textual._time.get_time", time_of_the_loop)
        self._ready, self._over = asyncio.Event(), asyncio.Event()
        self.app = QvlApp(desk, first=first)
        self.app.driver_class = Terminal
        self._task = self._loop.create_task(self.app.run_async(size=size, auto_pilot=self._hold))
        self._loop.run_until_complete(self._ready.wait())
        self.wait()

    async def _hold(self, _pilot: Pilot[Any]) -> None:
        self._ready.set()
        await self._over.wait()
        self.app.exit()

    @property
    def terminal(self) -> Terminal:
        """Where the app writes."""
        driver = self.app._driver
        assert isinstance(driver, Terminal)
        return driver

    @property
    def left(self) -> bool:
        """Whether the app was left, by a key or a line of the palette."""
        return self.app._exit

    def wait(self, seconds: float = MOMENT_SECONDS) -> None:
        """Let time pass; raises AssertionError where the app failed."""
        self._loop.run_until_complete(asyncio.sleep(seconds))
        error = self.app._exception
        if error is not None:
            raise AssertionError(f"the app failed: {error!r}") from error

    def post(self, message: Message) -> None:
        """Give the app a message."""
        self.app.post_message(message)

    def call(self, callback: Callable[[], object]) -> None:
        """Let the app do something once it comes to it."""
        self.app.call_later(callback)

    def press(self, *keys: str) -> None:
        """Press keys, named as in bindings or as they are typed."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            event = events.Key(name, key if len(key) == 1 else None)
            event.set_sender(self.app)
            self.app.post_message(event)

    def paste(self, text: str) -> None:
        """Paste text into what has the focus."""
        event = events.Paste(text)
        event.set_sender(self.app)
        self.app.post_message(event)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.terminal.set_size(columns, rows)
        size = Size(columns, rows)
        self.app.post_message(events.Resize(size, size))

    def picture(self) -> str:
        """Return what the screen shows, line by line."""
        with self.app._context():
            strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def svg(self, title: str) -> str:
        """Return the same as an SVG."""
        with self.app._context():
            return self.app.export_screenshot(title=title)

    def look(self) -> None:
        """Raise AssertionError where more than text and colours went to the terminal."""
        unfit = unfit_in(self.terminal.taken())
        assert not unfit, f"{self.app.screen} wrote {unfit[:3]!r}"

    def close(self) -> None:
        """End the app."""
        self._over.set()
        try:
            self._loop.run_until_complete(self._task)
        finally:
            self._loop.end()
            self._clock.undo()
            gc.unfreeze()  # the app set it up for a process of its own
            gc.set_threshold(*self._garbage)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
