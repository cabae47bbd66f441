"""Wait for batches only for as long as nobody wants the run to stop."""

from collections.abc import Iterator
from typing import TypeVar

from trainer.data.loader import BatchPool
from trainer.train.requests import Requests, StopHeard

T = TypeVar("T")


def until_stopped(made: Iterator[T], requests: Requests, pool: BatchPool) -> Iterator[T | None]:
    """Yield what is made; None at the end when this process heard of a stop while it waited.

    Several ranks then have to poll before they do anything else together: the others do not know.
    """
    while True:
        try:
            try:
                # Workers are asked again and again; a batch that is made here can only be dropped
                # by the signal itself.
                requests.building = not pool.pids
                item = next(made)
            finally:
                requests.building = False
        except StopIteration:
            return
        except StopHeard:
            yield None
            return
        yield item
