"""Ask for a batch, and put into it what is kept of its images."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from torch import Tensor

from trainer.data.batch import Batch
from trainer.data.gallery import Grid
from trainer.data.samples import BatchArrays
from trainer.data.worker import Request


class KeptFeatures(Protocol):
    """What the vision tower made of images; may be used from several threads."""

    def news(self, told: int) -> Sequence[tuple[bytes, Grid]]:
        """Return the images that are kept, without the first `told` of them."""
        ...

    def fetch(self, key: bytes) -> Tensor | None:
        """Return what is kept of an image; None where it can no longer be read."""
        ...


class Asking:
    """One process, or none, that makes batches: it is told once of every image that is kept."""

    def __init__(
        self, build: Callable[[Request], BatchArrays], kept: KeptFeatures | None = None
    ) -> None:
        self._build = build
        self._kept = kept
        self._told = 0

    def __call__(self, request: Request) -> Batch:
        """Return the batch of a request; raises as `build` does.

        When something of what was kept turns out to be lost, the batch is made anew with patches.
        """
        kept = self._kept
        if kept is None or request.pixels:
            return Batch.from_arrays(self._build(request))
        news = kept.news(self._told)
        self._told += len(news)
        batch = Batch.from_arrays(self._build(request._replace(kept=tuple(news))))
        missing = {
            key for key, there in zip(batch.image_keys, batch.patched, strict=True) if not there
        }
        features = {key: kept.fetch(key) for key in missing}
        found = {key: feature for key, feature in features.items() if feature is not None}
        if len(found) < len(missing):
            batch = Batch.from_arrays(self._build(request._replace(pixels=True)))
        return replace(batch, features=found)


def with_later_features(batch: Batch, kept: KeptFeatures) -> Batch:
    """Return a batch with the features of images that were kept after it was asked for."""
    features = {
        key: kept.fetch(key)
        for key, there in zip(batch.image_keys, batch.patched, strict=True)
        if there and key not in batch.features
    }
    found = {key: feature for key, feature in features.items() if feature is not None}
    return replace(batch, features={**batch.features, **found}) if found else batch
