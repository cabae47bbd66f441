"""A program on a pseudo-terminal: its output counted, its keyboard played, its reader stoppable."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self


class PseudoTerminal:
    """Runs a program as a terminal would. While `frozen`, nobody reads what it writes."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.output = bytearray()
        self.arrivals: list[tuple[float, int]] = []  # (monotonic seconds, bytes)
        self.frozen = False
        self._closing = False
        self._leader, follower = pty.openpty()
        self.resize(*size)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(follower)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closing:
            ready, _, _ = select.select([self._leader], [], [], 0.02)
            if self.frozen or not ready:
                time.sleep(0.005)
                continue
            try:
                data = os.read(self._leader, 65_536)
            except OSError:
                return
            self.output += data
            self.arrivals.append((time.monotonic(), len(data)))

    def resize(self, columns: int, rows: int) -> None:
        """Make the window larger or smaller; a program that paints does it anew."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, size)

    def send(self, keys: str) -> None:
        """Press keys, given as the characters a terminal sends."""
        os.write(self._leader, keys.encode())

    def wait_for(self, text: str, seconds: float = 20.0) -> float:
        """Return the seconds since the start at which `text` had been written."""
        wanted = text.encode()
        deadline = time.monotonic() + seconds
        while wanted not in self.output:
            if time.monotonic() > deadline:
                shown = bytes(self.output[-2_000:])
                raise AssertionError(f"{text!r} was not written in {seconds} s; last: {shown!r}")
            time.sleep(0.002)
        return time.monotonic() - self.started

    def bytes_between(self, begin: float, end: float) -> int:
        """Return how much was written between two moments of the monotonic clock."""
        return sum(size for moment, size in self.arrivals if begin <= moment < end)

    def vanish(self, *, told: bool = True) -> None:
        """Go, as a terminal does whose connection is cut: nothing is read or written any more.

        Where it is not `told`, no signal comes, as in a container whose client is gone.
        """
        self._closing = True
        self._reader.join()
        os.close(self._leader)
        if told:
            self.process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        """End the program as a vanished terminal does."""
        vanished = self._closing
        if self.process.poll() is None and not vanished:
            self.process.send_signal(signal.SIGHUP)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if not vanished:
            self._closing = True
            self._reader.join()
            os.close(self._leader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
