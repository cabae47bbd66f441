"""Keep image features on disk, in shards that later runs read as well."""

import contextlib
import os
import shutil
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from torch import Tensor

from trainer.data.feature_shard import BrokenShard, StoredFeatures, read_shard, write_shard
from trainer.data.gallery import Grid
from trainer.data.shared_folders import (
    folder_bytes,
    remove_unused,
    unused_longest_first,
    use_folder,
)

SHARD_BYTES = 64 * 2**20  # lost at most when a run is killed, and computed anew
SPARE_BYTES = 2 * 2**30  # left free for checkpoints and logs
LEFTOVER_SECONDS = 3600  # after which a half-written file belongs to nobody that lives


class DiskFeatures:
    """The features of one tower in one folder; folders beside it belong to other towers.

    Nothing that is in use is ever removed. Where the limit is reached, folders that no run uses
    go, the one that was opened longest ago first.
    """

    def __init__(self, root: Path, fingerprint: str, limit_bytes: int | None = None) -> None:
        """Open the folder of a fingerprint; without a limit, half of what could be free counts.

        Raises:
            OSError: It cannot be made or written to.

        """
        self.folder = root / fingerprint[:32]
        self._in_use = use_folder(self.folder)
        self.problems: list[str] = []  # that nobody was told of yet
        self._writing = True  # until the disk is full or broken
        self._stored: dict[bytes, StoredFeatures] = {}
        self._unwritten: dict[bytes, Tensor] = {}
        self._filling: dict[bytes, tuple[Grid, Tensor]] = {}
        self._filling_bytes = 0
        self._lock = Lock()
        self._writer = ThreadPoolExecutor(1, "qvl-features")
        self._written: Future[None] | None = None
        self.nbytes = 0
        self._read_what_is_there()
        others = [it for it in unused_longest_first(root) if it != self.folder]
        self._others = [(folder, folder_bytes(folder)) for folder in others]
        could_be_free = shutil.disk_usage(root).free + self.nbytes + self._others_bytes()
        self.limit_bytes = could_be_free // 2 if limit_bytes is None else limit_bytes

    def __len__(self) -> int:
        return len(self._stored) + len(self._unwritten)

    def __contains__(self, key: bytes) -> bool:
        return key in self._unwritten or key in self._stored

    def found(self) -> list[tuple[bytes, Grid]]:
        """Return the images that earlier runs kept, with their grids."""
        return [(key, it.grid) for key, it in self._stored.items()]

    def put(self, key: bytes, grid: Grid, features: Tensor) -> bool:
        """Keep an image's features; False where there is no room for them.

        They are written in a thread of their own, a shard at a time.
        """
        if not self._writing:
            return False
        try:
            if not self._has_room(features.nbytes):
                return False
        except OSError as error:
            self._stop_writing(str(error))
            return False
        features = features.cpu()
        with self._lock:
            self._unwritten[key] = features
        self._filling[key] = (grid, features)
        self.nbytes += features.nbytes
        self._filling_bytes += features.nbytes
        if self._filling_bytes >= SHARD_BYTES:
            self.flush()
        return True

    def fetch(self, key: bytes) -> Tensor | None:
        """Return what is kept of an image; None without it, or where it can no longer be read."""
        with self._lock:
            waiting, stored = self._unwritten.get(key), self._stored.get(key)
        if waiting is not None or stored is None:
            return waiting
        try:
            return stored.read()
        except BrokenShard as error:
            self._give_up(stored.path, str(error))
            return None

    def flush(self) -> None:
        """Have the shard that is being filled written, once the one before it is."""
        filled, self._filling, self._filling_bytes = self._filling, {}, 0
        if self._written is not None:
            self._written.result()
        if filled:
            self._written = self._writer.submit(self._write, filled)

    def close(self) -> None:
        """Write what is left, and let others remove the folder."""
        self.flush()
        self._writer.shutdown()
        os.close(self._in_use)

    def _write(self, images: dict[bytes, tuple[Grid, Tensor]]) -> None:
        path = self.folder / f"{uuid.uuid4().hex}.safetensors"
        try:
            write_shard(path, images)
            stored = read_shard(path)
        except (OSError, BrokenShard) as error:
            self._stop_writing(str(error))
            return
        with self._lock:
            self._stored |= stored
            for key in images:
                del self._unwritten[key]

    def _stop_writing(self, problem: str) -> None:
        """Write nothing more; what was not written stays in memory, for it was promised."""
        self._writing = False
        self.problems.append(f"{problem}; from now on nothing is written there")

    def _read_what_is_there(self) -> None:
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name.startswith("tmp-"):
                _remove_leftover(path)
                continue
            try:
                self._stored |= read_shard(path)
            except BrokenShard as error:
                self._give_up(path, str(error))
        self.nbytes = sum(it.size_bytes for it in self._stored.values())

    def _give_up(self, path: Path, problem: str) -> None:
        """Forget a shard that is broken, and remove it."""
        with self._lock:
            lost = [it for it in self._stored.values() if it.path == path]
            self._stored = {key: it for key, it in self._stored.items() if it.path != path}
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        self.nbytes -= sum(it.size_bytes for it in lost)
        self.problems.append(f"{problem}; what it held is computed anew")

    def _has_room(self, more_bytes: int) -> bool:
        """Whether more can be kept, once folders that nobody uses are gone if need be."""
        while not (
            self.nbytes + self._others_bytes() + more_bytes <= self.limit_bytes
            and shutil.disk_usage(self.folder).free
            >= SPARE_BYTES + self._filling_bytes + more_bytes
        ):
            if not self._remove_one_other():
                return False
        return True

    def _remove_one_other(self) -> bool:
        for other in self._others:
            if remove_unused(other[0]):
                self._others.remove(other)
                self.problems.append(f"removed {other[0]}, which no run uses, to make room")
                return True
        return False

    def _others_bytes(self) -> int:
        return sum(size for _, size in self._others)


def _remove_leftover(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            path.unlink()
