"""Keep batches ready, in order, while the trainer computes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from multiprocessing.util import Finalize
from queue import SimpleQueue
from typing import NamedTuple, Self, TypeVar

from trainer.data.asking import Asking, KeptFeatures, with_later_features
from trainer.data.batch import Batch, Window
from trainer.data.errors import WorkerFailed
from trainer.data.layout import Layout
from trainer.data.order import Plan
from trainer.data.samples import BatchArrays
from trainer.data.worker import START_TIMEOUT_SECONDS, Builds, Request, Worker

T = TypeVar("T")

FIRST_REQUESTS = 2  # for each worker, until the size of a batch is known
MOST_REQUESTS = 4  # for each worker; enough to even out slow batches
LOOK_UP_SECONDS = (
    0.2  # while a batch is waited for, from one look at what else there is to the next
)


class BatchPool:
    """Worker processes that build batches; without any, the calling process builds them itself.

    Use it as a context manager: leaving it ends the processes.
    """

    def __init__(  # noqa: PLR0913
        self,
        build: Builds[Request, BatchArrays],
        *,
        workers: int,
        prefetch_bytes: int,
        timeout_seconds: float,
        batches_at_once: int = 1,
        kept: KeptFeatures | None = None,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """`batches_at_once` are taken together: all that a window is made of.

        `while_waiting` is called again and again while the processes have not made a batch; what it
        raises ends the waiting.
        """
        self._kept = kept
        self._own = Asking(build, kept)  # where there are no workers
        self._build = build
        self._batches_at_once = batches_at_once
        self._number_of_workers = workers
        self._prefetch_bytes = prefetch_bytes
        self._timeout_seconds = timeout_seconds
        self._while_waiting = while_waiting
        self._largest_batch_bytes = 0
        self._workers: list[Worker[Request, BatchArrays]] = []
        self._idle: SimpleQueue[Asking] = SimpleQueue()

    def __enter__(self) -> Self:
        for number in range(self._number_of_workers):
            self._workers.append(Worker(number, self._build, self._timeout_seconds))
            self._idle.put(Asking(self._workers[-1].build, self._kept))
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
                yield self._own(request)
            return
        ahead: deque[tuple[Request, Future[Batch]]] = deque()
        coming = iter(requests)
        try:
            while self._top_up(ahead, coming):
                request, future = ahead.popleft()
                yield self._as_of_now(request, self._next(request, future))
        finally:
            for _, future in ahead:
                future.cancel()

    def _as_of_now(self, request: Request, batch: Batch) -> Batch:
        """A batch that was asked for early, with what was kept of its images meanwhile."""
        if self._kept is None or request.pixels:
            return batch
        return with_later_features(batch, self._kept)

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
        ask = self._idle.get()
        try:
            batch = ask(request)
        finally:
            self._idle.put(ask)
        self._largest_batch_bytes = max(self._largest_batch_bytes, batch.nbytes)
        return batch

    def _next(self, request: Request, future: Future[Batch]) -> Batch:
        # The worker's own timer ends a slow one. This one ends a process that stopped in the
        # middle of its answer.
        limit = START_TIMEOUT_SECONDS + 2 * self._timeout_seconds
        deadline = time.monotonic() + limit
        while not wait([future], LOOK_UP_SECONDS).done:
            self._while_waiting()
            if time.monotonic() > deadline:
                _kill(self._workers)
                where = self._build.describe(request)
                raise WorkerFailed(f"no data worker finished {where} in {limit:.0f} s")
        try:
            return future.result()
        except WorkerFailed:
            _kill(self._workers)
            raise


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

    def numbers(self, count: int) -> range:
        """Return what its first so many batches are among those of all ranks."""
        return range(self.rank, self.rank + count * self.ranks, self.ranks)


ALL = Share()


def windows(
    pool: BatchPool,
    plan: Plan,
    numbers: range,
    share: Share = ALL,
    layout: Layout | None = None,
) -> Iterator[Window]:
    """Yield the windows of these numbers (from 0) in order, with a share of each.

    With a layout, the share is one of samples; they are built one by one and then laid into
    micro-batches.
    """
    batches = pool.batches(
        Request("train", samples, plan.epoch_of(window))
        for window in numbers
        for samples in share.of(_dealt(plan, window, layout))
    )
    for window in numbers:
        made = list(islice(batches, len(share.of(_dealt(plan, window, layout)))))
        laid = made if layout is None else layout.batches(made)
        yield Window.of(window, plan.epoch_of(window), laid, share.numbers(len(laid)))


def _dealt(plan: Plan, window: int, layout: Layout | None) -> tuple[tuple[int, ...], ...]:
    """The samples of each batch that is asked for."""
    if layout is None:
        return plan.micro_batches(window)
    return tuple((sample,) for sample in plan.samples_of(window))


def validation_batches(
    pool: BatchPool,
    samples: int,
    batch_size: int,
    share: Share = ALL,
    layout: Layout | None = None,
) -> Iterator[Batch]:
    """Yield the validation samples in their order, `batch_size` at a time; packed in one row."""
    starts = share.of(range(0, samples, batch_size))
    taken = (tuple(range(start, min(start + batch_size, samples))) for start in starts)
    if layout is None or not layout.packed:
        yield from pool.batches(Request("validation", numbers) for numbers in taken)
        return
    together = list(taken)
    singles = pool.batches(Request("validation", (it,)) for numbers in together for it in numbers)
    for numbers in together:
        yield from layout.unlimited.batches(list(islice(singles, len(numbers))))


def single_validation_batches(pool: BatchPool, samples: int) -> Iterator[Batch]:
    """Yield the first validation samples, one a batch, with the pixels of all their pictures."""
    return pool.batches(Request("validation", (it,), pixels=True) for it in range(samples))
