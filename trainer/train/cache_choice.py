"""Decide where image features are kept, from what the first images cost."""

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.data.batch import moved
from trainer.data.disk_features import DiskFeatures
from trainer.data.feature_store import FeatureStore
from trainer.words import numbers

IMAGES = 8  # that are measured
WORTH_IT = 0.5  # reading back may take this share of the tower's time


@dataclass
class CacheChoice:
    """Watches the first images of a run whose features are kept in memory to begin with.

    They stay there when all of the data fits; what does not fit goes to the disk, if reading it
    back is faster than the tower. Nothing is kept where reading is no faster even from memory.
    The numbers of training are the same whatever is decided.
    """

    samples: int  # of the data set, over both splits
    open_disk: Callable[[], DiskFeatures]  # raises OSError
    _seconds: list[float] = field(default_factory=list[float])  # of the tower, by image
    _features: list[Tensor] = field(default_factory=list[Tensor])
    _samples_seen: int = 0
    _images_seen: int = 0

    @property
    def measures(self) -> bool:
        """Whether the time of another image is wanted."""
        return len(self._seconds) < IMAGES

    def note_image(self, tower_seconds: float, features: Tensor) -> None:
        """Take in what an image cost, and what came out."""
        self._seconds.append(tower_seconds)
        self._features.append(features)

    def note_batch(self, samples: int, images: int) -> None:
        """Take in how many images samples have."""
        self._samples_seen += samples
        self._images_seen += images

    def decide(self, store: FeatureStore) -> str | None:
        """Set a store up and return what was decided and why; None: not enough is known yet."""
        if self.measures:
            return None
        tower = statistics.median(self._seconds)
        memory = statistics.median(map(_reading_seconds, self._features))
        assert store.memory is not None
        if memory > WORTH_IT * tower:
            store.stop()
            return f"nothing is kept: {_compared(tower, memory)} to copy what it made"
        images = math.ceil(self.samples * self._images_seen / self._samples_seen)
        needed = images * sum(it.nbytes for it in self._features) // len(self._features)
        told = (
            f"about {numbers.size(needed)} for {images:,} pictures; "
            f"{_compared(tower, memory)} to copy what it made"
        )
        if needed <= store.memory.limit_bytes:
            return f"kept in memory: {told}"
        return f"{self._overflow(store, tower)}: {told}"

    def _overflow(self, store: FeatureStore, tower_seconds: float) -> str:
        """Let the disk take what memory has no room for, if that is worth it."""
        assert store.memory is not None
        in_memory = f"kept in memory up to {numbers.size(store.memory.limit_bytes)}"
        try:
            disk = self.open_disk()
            seconds = disk_seconds(disk, self._features[0])
        except OSError as error:
            return f"{in_memory}, not on disk ({error})"
        if seconds > WORTH_IT * tower_seconds:
            disk.close()
            return f"{in_memory}, not on disk, which takes {_milliseconds(seconds)} a picture"
        store.add_disk(disk)
        return f"{in_memory} and on disk up to {numbers.size(disk.limit_bytes)}"


def _reading_seconds(features: Tensor) -> float:
    """How long it takes to bring features from memory to their device."""
    kept = features.cpu()
    started = time.perf_counter()
    moved(kept, features.device).clone()
    if features.device.type == "cuda":
        torch.cuda.synchronize(features.device)
    return time.perf_counter() - started


def disk_seconds(disk: DiskFeatures, features: Tensor) -> float:
    """Return how long writing features and reading them back takes, past the page cache.

    Raises:
        OSError: The disk is full or broken.

    """
    path = disk.folder / "tmp-measured"
    content = features.cpu().view(torch.uint8).numpy().tobytes()
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        started = time.perf_counter()
        path.read_bytes()
        return time.perf_counter() - started
    finally:
        path.unlink(missing_ok=True)


def _compared(tower: float, reading: float) -> str:
    return f"the tower takes {_milliseconds(tower)} a picture, {_milliseconds(reading)}"


def _milliseconds(seconds: float) -> str:
    return f"{numbers.significant(seconds * 1000)} ms"
