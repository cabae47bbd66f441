"""What the ranks of a run tell each other: sums of tensors, and what one says to all."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as distributed
from torch import Tensor

T = TypeVar("T")

# Ranks wait for each other while one of them downloads, saves or answers; the supervisor watches
# for silence, so this limit only has to be longer than any of that.
PATIENCE = timedelta(hours=24)
BUCKET_VALUES = 2**24  # summed at once: 64 MB of fp32


class RanksLost(RuntimeError):
    """Another rank has ended, so this one cannot go on; why, is that rank's to say."""


@dataclass(frozen=True)
class Ranks:
    """All processes of an attempt; a run of one needs no communication."""

    rank: int = 0
    count: int = 1
    words: Any = None  # the process group of `gather`: over the host, whatever gradients go over

    @classmethod
    def join(cls, rank: int, meeting_file: Path, *, gpus: bool) -> "Ranks":
        """Meet the other ranks of this attempt through a file, and return all of them.

        To be called before the Accelerator is made, which would open a port to meet on.

        Raises:
            RanksLost: Another rank has ended.

        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        store = distributed.FileStore(str(meeting_file), count)  # pyright: ignore[reportPrivateImportUsage]
        with _peers():
            distributed.init_process_group(
                "nccl" if gpus else "gloo",
                store=store,
                rank=rank,
                world_size=count,
                timeout=PATIENCE,
            )
            words = distributed.new_group(backend="gloo", timeout=PATIENCE)
        return cls(rank, count, words)

    @property
    def is_first(self) -> bool:
        """Whether this rank writes events, checkpoints and results."""
        return self.rank == 0

    def gather(self, mine: T) -> list[T]:
        """Return what every rank gave, by rank; all have to call it.

        Raises:
            RanksLost: Another rank has ended.

        """
        if self.count == 1:
            return [mine]
        everybodys: list[Any] = [None] * self.count
        with _peers():
            distributed.all_gather_object(everybodys, mine, group=self.words)
        return everybodys

    @contextmanager
    def first_before_others(self) -> Generator[None]:
        """Let the first rank do something before the others do, such as filling a cache."""
        if not self.is_first:
            self.gather(None)
        yield
        if self.is_first:
            self.gather(None)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype and device by their sums over all ranks, in buckets.

        Raises:
            RanksLost: Another rank has ended.

        """
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            with _peers():
                distributed.all_reduce(flat)
            for tensor, summed in zip(
                bucket, flat.split([it.numel() for it in bucket]), strict=True
            ):
                tensor.copy_(summed.view_as(tensor))

    @staticmethod
    def leave() -> None:
        """Close the connections; to be called at the end, also after an error."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


@contextmanager
def _peers() -> Generator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError):  # of this rank's own device
        raise
    except RuntimeError as error:  # which kind depends on the backend
        raise RanksLost(str(error).partition("\n")[0]) from error


def _buckets(tensors: Sequence[Tensor]) -> Generator[list[Tensor]]:
    bucket: list[Tensor] = []
    values = 0
    for tensor in tensors:
        if bucket and values + tensor.numel() > BUCKET_VALUES:
            yield bucket
            bucket, values = [], 0
        bucket.append(tensor)
        values += tensor.numel()
    if bucket:
        yield bucket
