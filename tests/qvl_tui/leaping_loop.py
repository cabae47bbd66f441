"""An event loop that does not wait: once there is nothing to do, its clock leaps to the next thing.

So an app that runs in it is at rest whenever time passes, two seconds of it cost what is done in
them, and what happens is the same each time: what would run in threads runs in between.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class _Leap(selectors.DefaultSelector):
    """Looks at files without waiting for them, and counts the seconds it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.seconds += max(timeout, 0)
        return ready


class _AtOnce(ThreadPoolExecutor):
    """Does at once what is handed to it."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*arguments, **options))
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked for it
            done.set_exception(error)
        return done


class LeapingLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        self.set_default_executor(_AtOnce())

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._leap.seconds

    def end(self) -> None:
        """Cancel what still goes on, and close."""
        self.run_until_complete(_cancel_the_others())
        self.close()


async def _cancel_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
