"""A process that works on records, batches above all, and its parent's hold on it."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from trainer.data.errors import DataError, WorkerFailed

START_TIMEOUT_SECONDS = 300.0  # importing from a cold network disk takes minutes
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
READY = "ready"
NICENESS = 10  # batches are made ahead; the trainer's own threads come first


class Request(NamedTuple):
    """Which batch is wanted; it depends on nothing else.

    Whoever keeps what the vision tower makes of images says in `kept` which ones came to those that
    the same process was told of before: their pictures need not be decoded.
    """

    split: str
    samples: tuple[int, ...]
    epoch: int | None = None  # of training; None: samples as they lie, without augmentation
    kept: tuple[tuple[bytes, tuple[int, int, int]], ...] = ()  # keys and grids
    pixels: bool = False  # every picture is wanted, whatever is kept


Asked = TypeVar("Asked", contravariant=True)
Made = TypeVar("Made", covariant=True)


class Builds(Protocol[Asked, Made]):
    """Makes something of records, in any process."""

    def __call__(self, request: Asked, /) -> Made:
        """Return what is asked for."""
        ...

    def describe(self, request: Asked, /) -> str:
        """Return which records it is made of, and where they lie, for messages."""
        ...


class Worker(Generic[Asked, Made]):
    """One process with a pipe to it. A pipe needs no shared memory and no semaphore."""

    def __init__(self, number: int, build: Builds[Asked, Made], timeout_seconds: float) -> None:
        self.number = number
        self._build = build
        self._timeout_seconds = timeout_seconds
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self.process = context.Process(
            target=_work, args=(other_end, build), name=f"qvl-data-{number}", daemon=True
        )
        with _signals_blocked():
            self.process.start()
        other_end.close()
        self._started = False

    def build(self, request: Asked) -> Made:
        """Return what is asked for, built in the process.

        Raises:
            DataError: What the process found wrong with the data.
            WorkerFailed: The process died, broke, or took too long.

        """
        try:
            if not self._started:
                self._receive(request, START_TIMEOUT_SECONDS)
                self._started = True
            self._pipe.send(request)
            answer = self._receive(request, self._timeout_seconds)
        except (EOFError, OSError) as error:
            self.process.join(5)
            raise self.failure(request, _how_it_ended(self.process.exitcode)) from error
        if isinstance(answer, DataError):
            raise answer
        if isinstance(answer, str):
            raise self.failure(request, f"broke:\n{answer}")
        return answer

    def _receive(self, request: Asked, timeout_seconds: float) -> Any:
        """The process's next message. The process itself is watched too: it may have died."""
        deadline = time.monotonic() + timeout_seconds
        watched = [self._pipe, self.process.sentinel]
        if not wait(watched, timeout_seconds) or not self._pipe.poll():
            if self.process.is_alive() and time.monotonic() >= deadline:
                raise self.failure(request, f"gave no answer for {timeout_seconds:g} s")
            raise EOFError
        return self._arriving(request, timeout_seconds)

    def _arriving(self, request: Asked, timeout_seconds: float) -> Any:
        """The message that has begun to come; a process that stops in the middle of it is ended."""
        deadline = time.monotonic() + timeout_seconds
        timer = threading.Timer(timeout_seconds, self.process.kill)
        timer.start()
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            if time.monotonic() < deadline:
                raise
            how = f"stopped in the middle of its answer for {timeout_seconds:g} s"
            raise self.failure(request, how) from error
        finally:
            timer.cancel()

    def failure(self, request: Asked, how: str) -> WorkerFailed:
        """Return the error that says how this worker failed, and over which records."""
        where = self._build.describe(request)
        return WorkerFailed(
            f"data worker {self.number} (pid {self.process.pid}) {how}; it was to prepare {where}"
        )

    def kill(self) -> None:
        """End the process; it holds nothing that could be lost."""
        self.process.kill()
        self.process.join(5)

    def close(self) -> None:
        """Close this side of the pipe; no thread may be using it."""
        self._pipe.close()


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left with code {code}"


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let a new process start with these signals blocked, until it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, build: Builds[Any, object]) -> None:
    """The process: answers requests until the pipe closes or its parent is gone."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED_SIGNALS)
    os.nice(NICENESS)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with contextlib.suppress(EOFError, OSError):
        pipe.send(READY)
        while True:
            pipe.send(_answer(build, pipe.recv()))


def _answer(build: Builds[Asked, Made], request: Asked) -> Made | DataError | str:
    """What was asked for, what is wrong with the data, or the traceback of anything unforeseen."""
    try:
        return build(request)
    except DataError as error:
        return error
    except Exception:  # noqa: BLE001 - the trainer raises it, with the records it came from
        return traceback.format_exc()


def _leave_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
