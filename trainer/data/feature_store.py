"""Keep image features where there is room, and tell the data workers which images have some."""

from collections.abc import Sequence

from torch import Tensor

from trainer.data.disk_features import DiskFeatures
from trainer.data.gallery import Grid
from trainer.data.memory_features import MemoryFeatures


class FeatureStore:
    """Memory first, then the disk, as far as there are such; read from several threads.

    What was told of an image stays true until the run ends, unless a file breaks.
    """

    def __init__(self, memory: MemoryFeatures | None, disk: DiskFeatures | None) -> None:
        self.memory = memory
        self.disk: DiskFeatures | None = None
        self.turned_away = 0  # images there was no room for
        self._images: list[tuple[bytes, Grid]] = []  # only ever grows
        self._told: set[bytes] = set()
        if disk is not None:
            self.add_disk(disk)

    def add_disk(self, disk: DiskFeatures) -> None:
        """Use a disk as well, with what earlier runs left there."""
        self.disk = disk
        for key, grid in disk.found():
            self._tell(key, grid)

    def stop(self) -> None:
        """Keep nothing more; what is kept stays."""
        if self.memory is not None:
            self.memory.limit_bytes = 0

    def news(self, told: int) -> Sequence[tuple[bytes, Grid]]:
        """Return the images that have features, without the first `told` of them."""
        return self._images[told:]

    def fetch(self, key: bytes) -> Tensor | None:
        """Return an image's features; None without them, or where they can no longer be read."""
        found = self.memory.fetch(key) if self.memory is not None else None
        if found is None and self.disk is not None:
            found = self.disk.fetch(key)
        return found

    def offer(self, key: bytes, grid: Grid, features: Tensor) -> None:
        """Keep an image's features unless they are kept already, or there is no room."""
        if not self.is_open or any(key in place for place in self._places):
            return
        in_memory = self.memory is not None and self.memory.put(key, features)
        if in_memory or (self.disk is not None and self.disk.put(key, grid, features)):
            self._tell(key, grid)
        else:
            self.turned_away += 1

    @property
    def is_open(self) -> bool:
        """Whether there is any place where features may be kept."""
        return bool(self._places)

    def __len__(self) -> int:
        return sum(map(len, self._places))

    @property
    def nbytes(self) -> int:
        """What is kept, in bytes."""
        return sum(place.nbytes for place in self._places)

    @property
    def _places(self) -> list[MemoryFeatures | DiskFeatures]:
        return [place for place in (self.memory, self.disk) if place is not None]

    def take_problems(self) -> list[str]:
        """Return what went wrong on the disk and was not asked for before."""
        if self.disk is None:
            return []
        problems = self.disk.problems
        return [problems.pop(0) for _ in range(len(problems))]

    def close(self) -> None:
        """Have everything written that goes to the disk."""
        if self.disk is not None:
            self.disk.close()

    def _tell(self, key: bytes, grid: Grid) -> None:
        if key not in self._told:
            self._told.add(key)
            self._images.append((key, grid))
