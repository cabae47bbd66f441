"""Read a long run in a process of its own, so that the screen's has its processor to itself.

Run as a program it writes what a run's files hold to standard output, for the screen alone.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from queue import Queue
from threading import Lock, Thread
from typing import Self

from trainer.run.files import PAST_SAMPLES, Bite, RunFiles
from trainer.run.layout import RunLayout
from trainer.run.regular import file_size
from trainer.supervisor.python import python_environment

WORTH_BYTES = 16 * 2**20  # of events; less is read before a process is up
BITES_AHEAD = 128  # that wait for the screen, about 0.3 MB each
PIPE_BYTES = 2**20


class ReadAhead:
    """The bites of a run up to where its files end now, from a process that reads them."""

    def __init__(self, layout: RunLayout) -> None:
        """Start the process.

        Raises:
            OSError: It cannot be started.

        """
        self.layout = layout
        self._reading = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "qvl_tui.ahead", str(layout.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=python_environment(),
            bufsize=PIPE_BYTES,
            pipesize=PIPE_BYTES,
        )

    @classmethod
    def of(cls, layout: RunLayout) -> Self | None:
        """Return a process that reads a run; None where that would not be faster."""
        if file_size(layout.events) < WORTH_BYTES:
            return None
        try:
            return cls(layout)
        except OSError:  # no process is to be had; the screen reads by itself
            return None

    def next(self) -> tuple[Bite, RunFiles] | None:
        """Return the next bite and the files behind it, which go on from there; None: it is over.

        It is over at the end of the files, and where the process ended too early.
        """
        pipe = self._process.stdout
        assert pipe
        with self._reading:
            if pipe.closed:
                return None
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                return pickle.load(pipe)
        self.close()
        return None

    @property
    def ended(self) -> bool:
        """Whether there is no process any more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        with self._reading:
            if self._process.stdout:
                self._process.stdout.close()


def main(root: Path) -> None:
    """Write bites and what is behind them to standard output until all is read."""
    waiting: Queue[bytes] = Queue(BITES_AHEAD)
    writer = Thread(target=_write, args=(waiting,))
    writer.start()
    files = RunFiles(RunLayout(root), past_samples=PAST_SAMPLES)
    try:
        while not files.caught_up:
            bite = files.read()
            waiting.put(pickle.dumps((bite, files), pickle.HIGHEST_PROTOCOL))
    finally:
        waiting.put(b"")
        writer.join()


def _write(waiting: "Queue[bytes]") -> None:
    """Write what waits, up to an empty one; end the process once the screen is gone."""
    try:
        while data := waiting.get():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except OSError:
        os._exit(1)  # nobody takes from the queue, so nothing else would end it


if __name__ == "__main__":
    main(Path(sys.argv[1]))
