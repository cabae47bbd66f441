"""Copy the next micro-batch to the GPU while this one is computed."""

from collections.abc import Iterable, Iterator
from functools import cache

import torch

from trainer.data.batch import Batch
from trainer.train.out_of_memory import described, memory_for


def copied_ahead(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches whose tensors are on the device, on a GPU each copied during the one before.

    The next batch is asked for, and its copy begun, once this one's work is handed to the GPU.
    Copies have a stream of their own; work that the caller starts on the current one waits for
    them.

    Raises:
        torch.OutOfMemoryError: With a note which records it was.

    """
    if device.type != "cuda":
        yield from batches
        return
    copies, waiting = _stream_of_copies(device), iter(batches)
    coming = _begin(next(waiting, None), device, copies)
    while coming is not None:
        current = torch.cuda.current_stream(device)
        current.wait_stream(copies)
        for tensor in coming.tensors():
            if tensor.is_cuda:  # the allocator must not give it away before `current` is done
                tensor.record_stream(current)
        yield coming
        coming = _begin(next(waiting, None), device, copies)


def _begin(batch: Batch | None, device: torch.device, copies: torch.cuda.Stream) -> Batch | None:
    if batch is None:
        return None
    with torch.cuda.stream(copies), memory_for(f"copying a micro-batch of {described(batch)}"):
        return batch.on(device)


@cache
def _stream_of_copies(device: torch.device) -> torch.cuda.Stream:
    """Return the same stream every time: the allocator keeps memory apart by stream."""
    return torch.cuda.Stream(device)
