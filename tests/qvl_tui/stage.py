"""The whole app without a terminal, played from outside, as often as wanted."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from textual.pilot import Pilot

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from trainer.run.layout import RunLayout

Job = Callable[[Pilot[Any]], Awaitable[None]]


class Stage:
    """An app that runs in a thread of its own and does one job after the other."""

    def __init__(
        self, runs: Path, *, first: RunLayout | None = None, size: tuple[int, int] = (120, 40)
    ) -> None:
        self.app = QvlApp(Desk(runs), first=first)
        self._size = size
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._ready.wait(20):
            raise AssertionError("the app did not start")

    def _run(self) -> None:
        asyncio.run(self.app.run_async(headless=True, size=self._size, auto_pilot=self._auto_pilot))

    async def _auto_pilot(self, pilot: Pilot[Any]) -> None:
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[None]] | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        while (entry := await self._jobs.get()) is not None:
            job, done = entry
            try:
                await job(pilot)
                done.set_result(None)
            except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
                done.set_exception(error)
        self.app.exit()

    def play(self, job: Job, seconds: float = 30.0) -> None:
        """Do a job with the app and return; raises what the app raised."""
        asyncio.run_coroutine_threadsafe(self._submit(job), self._loop).result(seconds)
        self.check()

    async def _submit(self, job: Job) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        await self._jobs.put((job, done))
        await done

    def check(self) -> None:
        """Raise the error that ended the app, if one did."""
        error = self.app._exception
        if error is not None:
            raise AssertionError(f"the app failed: {error!r}") from error

    def close(self) -> None:
        """End the app."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._thread.join(20)

    async def _end(self) -> None:
        await self._jobs.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
