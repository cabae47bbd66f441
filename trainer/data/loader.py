"""Keep batches ready, in order, while the trainer computes."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.util import Finalize
from queue import SimpleQueue
from typing import NamedTuple, Self, TypeVar

from trainer.data.batch import Batch, Window
from trainer.data.errors import WorkerFailed
from trainer.data.order import Plan
from trainer.data.samples import BatchArrays
from trainer.data.worker import START_TIMEOUT_SECONDS, Builds, Request, Worker

T = TypeVar("T")

FIRST_REQUESTS = 2  # for each worker, until the size of a batch is known
MOST_REQUESTS = 4  # for each worker; enough to even out slow batches


class BatchPool:
    """Worker processes that build batches; without any, the calling process builds them itself.

    Use it as a context manager: leaving it ends the processes.
    """

    def __init__(
        self,
        build: Builds[Request, BatchArrays],
        *,
        workers: int,
        prefetch_bytes: int,
        timeout_seconds: float,
        batches_at_once: int = 1,
    ) -> None:
        """`batches_at_once` are taken together: the micro-batches of a window."""
        self._build = build
        self._batches_at_once = batches_at_once
        self._number_of_workers = workers
        self._prefetch_bytes = prefetch_bytes
        self._timeout_seconds = timeout_seconds
        self._largest_batch_bytes = 0
        self._workers: list[Worker[Request, BatchArrays]] = []
        self._idle: SimpleQueue[Worker[Request, BatchArrays]] = SimpleQueue()

    def __enter__(self) -> Self:
        for number in range(self._number_of_workers):
            self._workers.append(Worker(number, self._build, self._timeout_seconds))
            self._idle.put(self._workers[-1])
        # One thread for each process takes its answers while the trainer computes.
        self._threads = ThreadPoolExecutor(max(1, len(self._workers)), "qvl-data")
        # Should the context never be left, the interpreter's end must not wait for processes.
        self._finalizer = Finalize(self, _kill, (self._workers,), exitpriority=100)
        return self

    def __exit__(self, *_: object) -> None:
        self._finalizer()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes."""
        return tuple(worker.process.pid or 0 for worker in self._workers)

    def batches(self, requests: Iterable[Request]) -> Iterator[Batch]:
        """Yield the batch of each request, in the order of the requests.

        Each call reads ahead on its own, by at most `prefetch_bytes` worth of batches of the
        largest size seen so far, and by one at least. Beyond the next window it reads only a few
        ahead: more would take the processor from the trainer.

        Raises:
            DataRefused, DataChanged: What is wrong with the data.
            WorkerFailed: A process died or hung; all processes are ended.

        """
        if not self._workers:
            for request in requests:
                yield Batch.from_arrays(self._build(request))
            return
        ahead: deque[tuple[Request, Future[Batch]]] = deque()
        coming = iter(requests)
        try:
            while self._top_up(ahead, coming):
                yield self._next(*ahead.popleft())
        finally:
            for _, future in ahead:
                future.cancel()

    def _top_up(
        self, ahead: deque[tuple[Request, Future[Batch]]], coming: Iterator[Request]
    ) -> bool:
        """Ask for batches as far ahead as memory allows; False when none is left to wait for."""
        while len(ahead) < self._requests_ahead() and (request := next(coming, None)):
            ahead.append((request, self._threads.submit(self._ask, request)))
        return bool(ahead)

    def _requests_ahead(self) -> int:
        if not self._largest_batch_bytes:
            return FIRST_REQUESTS * len(self._workers)
        fitting = self._prefetch_bytes // self._largest_batch_bytes
        wanted = self._batches_at_once + MOST_REQUESTS * len(self._workers)
        return max(1, min(fitting, wanted))

    def _ask(self, request: Request) -> Batch:
        worker = self._idle.get()
        try:
            batch = Batch.from_arrays(worker.build(request))
        finally:
            self._idle.put(worker)
        self._largest_batch_bytes = max(self._largest_batch_bytes, batch.nbytes)
        return batch

    def _next(self, request: Request, future: Future[Batch]) -> Batch:
        # The worker's own timer ends a slow one. This one ends a process that stopped in the
        # middle of its answer.
        limit = START_TIMEOUT_SECONDS + 2 * self._timeout_seconds
        started = time.monotonic()
        try:
            return future.result(limit)
        except WorkerFailed:
            _kill(self._workers)
            raise
        except TimeoutError as error:
            _kill(self._workers)
            raise WorkerFailed(
                f"no data worker finished {self._build.describe(request)} "
                f"in {time.monotonic() - started:.0f} s"
            ) from error


def _kill(workers: list[Worker[Request, BatchArrays]]) -> None:
    for worker in workers:
        worker.kill()


class Share(NamedTuple):
    """Which batches are a rank's: every `ranks`th from its own number on."""

    rank: int = 0
    ranks: int = 1

    def of(self, batches: Sequence[T]) -> Sequence[T]:
        """Return the share of what all ranks have together."""
        return batches[self.rank :: self.ranks]


ALL = Share()


def windows(
    pool: BatchPool, plan: Plan, start: int, stop: int, share: Share = ALL
) -> Iterator[Window]:
    """Yield the windows `start` (from 0) up to but not including `stop`, with a share of each."""
    requests = (
        Request("train", samples, plan.epoch_of(window))
        for window in range(start, stop)
        for samples in share.of(plan.micro_batches(window))
    )
    batches = pool.batches(requests)
    for index in range(start, stop):
        numbers = share.of(range(len(plan.micro_batches(index))))
        made = [next(batches) for _ in numbers]
        yield Window.of(index, plan.epoch_of(index), made, numbers)


def validation_batches(
    pool: BatchPool, samples: int, batch_size: int, share: Share = ALL
) -> Iterator[Batch]:
    """Yield the validation samples in their order, `batch_size` at a time."""
    return pool.batches(
        Request("validation", tuple(range(first, min(first + batch_size, samples))))
        for first in share.of(range(0, samples, batch_size))
    )
