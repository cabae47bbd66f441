"""Write the trainer's events; a full disk delays them instead of ending the run."""

import contextlib
import sys
from collections import deque
from collections.abc import Callable

from trainer.run.append import EventWriter
from trainer.run.events import AnyEvent, Resumed, Step

MAX_DELAYED = 10_000


def tell(text: str) -> None:
    """Write to the console, which may lie on the disk that is full."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")


class Recorder:
    """events.jsonl of one attempt; only rank 0 has one."""

    def __init__(self, writer: EventWriter | None) -> None:
        """Record into a writer; None: nothing is kept, as with any rank but the first."""
        self._writer = writer
        self._delayed: deque[AnyEvent] = deque(maxlen=MAX_DELAYED)
        self.step = 0  # the last one that was recorded
        self.also: Callable[[AnyEvent], None] | None = None  # sees every event too

    def write(self, event: AnyEvent) -> None:
        """Append an event, after those that could not be written before."""
        if isinstance(event, Step | Resumed):
            self.step = event.step
        if self.also is not None:
            self.also(event)
        if self._writer is None:
            return
        self._delayed.append(event)
        try:
            while self._delayed:
                self._writer.write(self._delayed[0])
                self._delayed.popleft()
        except OSError as error:
            tell(f"event delayed ({len(self._delayed)} waiting): {error}")

    def sync(self) -> None:
        """Make every event so far survive a power cut."""
        if self._writer is not None:
            self._writer.sync()

    def close(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()
