"""Run a frozen vision tower once on every picture: what it makes of one is kept.

An image always goes through the tower alone, and its features are rounded before their first use.
So they are the same whether they were kept or not, and a resumed run needs nothing of the cache.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from trainer.data.batch import Batch, moved
from trainer.data.feature_store import FeatureStore
from trainer.data.preprocessing import Preprocessing
from trainer.model.tower import EncoderOutputs, FrozenTower, Grid
from trainer.run.events import Notice
from trainer.train.cache_choice import CacheChoice
from trainer.words import numbers

TOPIC = "vision_cache"


class VisionCache:
    """The tower with what is kept of its outputs; the main thread's."""

    def __init__(
        self,
        tower: FrozenTower,
        store: FeatureStore,
        preprocessing: Preprocessing,
        notify: Callable[[Notice], object],
        choice: CacheChoice | None = None,
    ) -> None:
        """`choice` decides, once it has seen some images, where features are kept."""
        self.store = store
        self._tower = tower
        self._preprocessing = preprocessing
        self._notify = notify
        self._choice = choice
        self._used = self._computed = 0  # images
        self._said_full = False

    def outputs(
        self, batch: Batch, device: torch.device, dtype: torch.dtype
    ) -> dict[str, EncoderOutputs]:
        """Return what the model takes instead of a batch's pixels, under autocast like its forward.

        Args:
            batch: Has images, with keys.
            device: The model's.
            dtype: That pixels are given in.

        """
        features = {key: moved(kept, device) for key, kept in batch.features.items()}
        patches = self._pieces(batch, device)
        for place, grid in enumerate(batch.grids):
            if batch.computed[place]:
                key, piece = batch.image_keys[place], patches[place]
                assert piece is not None, "an image has neither patches nor features"
                pixels = self._preprocessing.normalize_patches(piece, dtype)
                features[key] = self._compute(pixels, (grid[0], grid[1], grid[2]), key)
        self._used += batch.images
        self._computed += sum(batch.computed)
        self._report(batch)
        return self._tower.outputs([features[key] for key in batch.image_keys])

    def _pieces(self, batch: Batch, device: torch.device) -> list[Tensor | None]:
        """The patches of each image, None of one that has none here."""
        if batch.patches is None:
            return [None] * batch.images
        sizes = [
            t * h * w for (t, h, w), there in zip(batch.grids, batch.patched, strict=True) if there
        ]
        pieces = iter(moved(batch.patches, device).split(sizes))
        return [next(pieces) if there else None for there in batch.patched]

    def _compute(self, pixels: Tensor, grid: Grid, key: bytes) -> Tensor:
        measured = self._choice is not None and self._choice.measures
        started = _now(pixels.device) if measured else 0.0
        features = self._tower.features(pixels, grid)
        if measured and self._choice is not None:
            self._choice.note_image(_now(pixels.device) - started, features)
        self.store.offer(key, grid, features)
        return features

    def _report(self, batch: Batch) -> None:
        if self._choice is not None:
            self._choice.note_batch(batch.samples, batch.images)
            if (message := self._choice.decide(self.store)) is not None:
                self._choice = None
                self._say(message)
        for problem in self.store.take_problems():
            self._say(problem)
        if self.store.turned_away and not self._said_full and self._choice is None:
            self._said_full = True
            share = len(self.store) / self._used
            self._say(
                f"no room for more than {len(self.store):,} images, "
                f"{numbers.size(self.store.nbytes)}: {share:.0%} of those that were met so far; "
                "the others go through the tower every time"
            )

    def close(self) -> None:
        """Have everything written that goes to the disk, and sum up what the run had of it."""
        self.store.close()
        for problem in self.store.take_problems():
            self._say(problem)
        if self._used and self.store.is_open:
            read = self._used - self._computed
            self._say(
                f"{read:,} of {self._used:,} pictures were read back, {self._computed:,} computed; "
                f"kept are {len(self.store):,} in {numbers.size(self.store.nbytes)}"
            )

    def _say(self, message: str) -> None:
        self._notify(Notice(topic=TOPIC, message=message))


def _now(device: torch.device) -> float:
    """The time by which the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
