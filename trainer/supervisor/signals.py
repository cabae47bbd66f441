"""Turn signals into a list that a loop reads, and wake the loop for them."""

import select
import signal
import socket
from collections import deque
from collections.abc import Iterable
from types import FrameType
from typing import Self


class Signals:
    """Catches signals while it is entered; `wait` sleeps until one comes or time is up."""

    def __init__(
        self, caught: Iterable[signal.Signals], ignored: Iterable[signal.Signals] = ()
    ) -> None:
        self._caught = tuple(caught)
        self._ignored = tuple(ignored)
        self._received: deque[signal.Signals] = deque()
        self._former: dict[signal.Signals, signal.Handlers | object] = {}

    def __enter__(self) -> Self:
        self._awake, self._alarm = socket.socketpair()
        self._awake.setblocking(False)
        self._alarm.setblocking(False)
        self._former_wakeup = signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        for name in self._caught:
            self._former[name] = signal.signal(name, self._remember)
        for name in self._ignored:
            self._former[name] = signal.signal(name, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self._former.items():
            signal.signal(name, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._former_wakeup)
        self._awake.close()
        self._alarm.close()

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(signal.Signals(number))

    def wait(self, seconds: float) -> None:
        """Sleep for `seconds`, or until a signal comes."""
        if self._received:
            return
        readable, _, _ = select.select([self._awake], [], [], seconds)
        if readable:
            self._awake.recv(4096)

    def take(self) -> list[signal.Signals]:
        """Return the signals since the last call, oldest first."""
        taken: list[signal.Signals] = []
        while self._received:
            taken.append(self._received.popleft())
        return taken
