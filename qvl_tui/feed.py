"""Runs that are being read: bounded bites, in a thread, applied where the screen lives."""

import asyncio
import contextlib
import errno
import time
from collections import deque
from typing import Self

from qvl_tui.ahead import ReadAhead
from trainer.run.events import AnyEvent
from trainer.run.files import PAST_SAMPLES, Bite
from trainer.run.layout import RunLayout
from trainer.run.liveness import Status, holder, judge, quick_state
from trainer.run.reader import RunReader
from trainer.run.regular import why_unreadable
from trainer.run.state import RunState

BITE_BYTES = 2**20
POLL_SECONDS = 0.25  # between two looks at files that had nothing new
LIVENESS_SECONDS = 1.0
RETRY_SECONDS = 2.0  # after files that could not be read
FIRST_PICTURE_SECONDS = 0.05  # in which nothing is read, so that the screen can be painted
KEPT_EVENTS = 5_000  # that the log can show


class Feed:
    """One run as far as it is read.

    `version` grows with every change. `state` is another object after a file was replaced, so
    read it anew each time.
    """

    def __init__(self, layout: RunLayout, ahead: ReadAhead | None = None) -> None:
        """Begin with nothing read; `ahead` is a process that reads this run already."""
        self.layout = layout
        self._ahead = ahead
        self.events: deque[AnyEvent] = deque(maxlen=KEPT_EVENTS)  # those worth a line
        self.event_count = 0  # that ever went through `events`
        self.loaded = False  # whether everything that was there at first is read
        self.problem = ""  # why the files cannot be read at the moment
        self.version = 0
        self._reader = RunReader(layout, past_samples=PAST_SAMPLES)
        self._glance: RunState | None = None  # from both ends of the files, until all is read
        self.status: Status = judge(layout.name, self.state, holder(layout))
        self._judged_at = 0.0
        self._turned = asyncio.Event()

    @classmethod
    def of(cls, layout: RunLayout) -> Self:
        """Return a feed that has read everything, at once."""
        feed = cls(layout)
        while not feed.loaded:
            feed.take(feed.bite())
        feed.judge()
        return feed

    @property
    def state(self) -> RunState:
        """What the events add up to: at first those at both ends of the files, then all."""
        return self._glance or self._reader.state

    @property
    def loading_share(self) -> float:
        """How much of the files is read, 0 to 1."""
        return self._reader.share

    def bite(self) -> Bite:
        """Read and decode the next lines; safe in a thread."""
        if self._ahead:
            if read := self._ahead.next():
                bite, self._reader.files = read
                return bite
            self._ahead = None
        return self._reader.read(max_bytes=BITE_BYTES, complete=not self.status.held)

    def take(self, bite: Bite) -> None:
        """Apply what was read."""
        before = self._reader.state
        events = self._reader.apply(bite)
        if self._reader.state is not before:
            self.events.clear()
        self.events.extend(events)
        self.event_count += len(events)
        if bite:
            self.version += 1
        if self._caught_up and not self.loaded:
            self.loaded = True
            self._glance = None
            self._turn()

    @property
    def _caught_up(self) -> bool:
        return self._reader.caught_up and not self._ahead

    def judge(self) -> None:
        """Look who holds the run, and in which state that leaves it."""
        status = judge(self.layout.name, self.state, holder(self.layout))
        if status != self.status:
            self.status = status
            self.version += 1

    async def follow(self) -> None:
        """Read on for ever; files are read in a thread, a frozen disk freezes no screen."""
        self._ahead = self._ahead or ReadAhead.of(self.layout)
        try:
            await self._look_first()
            await self._read_on()
        finally:
            if self._ahead:
                self._ahead.close()

    async def _read_on(self) -> None:
        while True:
            try:
                bite = await asyncio.to_thread(self._look)
            except OSError as error:
                self._cannot_read(why_unreadable(error))
                self.judge()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._cannot_read("")
            self.take(bite)
            if self._caught_up:
                await self._rest()
            else:
                await asyncio.sleep(0)

    def _look(self) -> Bite:
        if not self.layout.root.is_dir():
            raise FileNotFoundError(errno.ENOENT, "its folder is gone")
        return self.bite()

    def tell_end(self, task: asyncio.Task[None]) -> None:
        """Say why nothing is read any more, where it is not that nobody looks."""
        if not task.cancelled():
            self._cannot_read(f"reading ended: {task.exception()!r}")

    def _turn(self) -> None:
        """Wake those who wait for a picture that is worth drawing at once."""
        self.version += 1
        self._turned.set()
        self._turned = asyncio.Event()

    async def turn(self) -> None:
        """Return when there is a first look, again when all is read, and when nothing can be."""
        await self._turned.wait()

    async def turn_within(self, seconds: float) -> None:
        """Return at the next turn, and after so long without one."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.turn(), seconds)

    async def _look_first(self) -> None:
        """Know the run's newest numbers at once, however long it takes to read all of it."""
        try:
            self._glance = await asyncio.to_thread(quick_state, self.layout)
        except OSError:
            return  # reading on says what is wrong
        self.judge()
        self._turn()
        await asyncio.sleep(FIRST_PICTURE_SECONDS)

    def _cannot_read(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._turn()

    async def _rest(self) -> None:
        if time.monotonic() - self._judged_at >= LIVENESS_SECONDS:
            self._judged_at = time.monotonic()
            self.judge()
        await asyncio.sleep(POLL_SECONDS)


class Reader:
    """All runs that somebody looks at; each is read once, however many look."""

    def __init__(self, ahead: ReadAhead | None = None) -> None:
        """Begin with nothing open; `ahead` reads a run already that will be opened."""
        self._ahead = ahead
        self._open: dict[RunLayout, tuple[Feed, asyncio.Task[None], int]] = {}

    def open(self, layout: RunLayout) -> Feed:
        """Return the feed of a run and begin to read it; needs a running event loop."""
        feed, task, lookers = self._open.get(layout) or self._begin(layout)
        self._open[layout] = feed, task, lookers + 1
        return feed

    def close(self, layout: RunLayout) -> None:
        """Stop reading a run once nobody looks at it."""
        feed, task, lookers = self._open.pop(layout)
        if lookers > 1:
            self._open[layout] = feed, task, lookers - 1
        else:
            task.cancel()

    def _begin(self, layout: RunLayout) -> tuple[Feed, asyncio.Task[None], int]:
        ahead = None
        if self._ahead and self._ahead.layout == layout:
            ahead, self._ahead = self._ahead, None
        feed = Feed(layout, ahead)
        task = asyncio.create_task(feed.follow(), name=f"read {layout.name}")
        task.add_done_callback(feed.tell_end)
        return feed, task, 0
