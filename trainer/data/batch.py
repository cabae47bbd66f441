"""Batches as tensors, padded or packed, and the window of one optimizer step."""

# B samples, T tokens, P patches, D values a patch, I images

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainer.data.errors import Source
from trainer.data.samples import IGNORED, BatchArrays, Skipped

if TYPE_CHECKING:
    from trainer.data.preprocessing import Preprocessing


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Samples side by side, padded on the right, or one after the other in a packed row.

    One without any sample is legal.
    """

    input_ids: Tensor  # int64 (B, T); packed (1, T)
    attention_mask: Tensor | None  # int64 (B, T); None: packed
    labels: Tensor  # int64 (B, T)
    mm_token_type_ids: Tensor  # int64 (B, T), 0 text, 1 image
    patches: Tensor | None  # uint8 (P, D), of the images that are patched
    image_grid_thw: Tensor | None  # int64 (I, 3), of all images
    sources: tuple[Source, ...]  # of the samples' records
    skipped: tuple[Skipped, ...]
    lengths: tuple[int, ...]  # tokens of each sample
    position_ids: Tensor | None = None  # int64 (4, 1, T): in the sample's text, and its rope's
    rope: Tensor | None = None  # int64 (3, B, T) of a padded batch with images
    image_keys: tuple[bytes, ...] = ()  # (I,); empty: nothing is kept of images
    patched: tuple[bool, ...] = ()  # (I,), whether an image has patches here
    features: dict[bytes, Tensor] = field(default_factory=dict[bytes, Tensor])  # kept, by key
    notes: dict[str, int] = field(default_factory=dict[str, int])  # what was changed, how often

    @property
    def packed(self) -> bool:
        """Whether the samples lie one after the other in one row."""
        return self.position_ids is not None

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.lengths)

    @cached_property
    def target_tokens(self) -> int:
        """Tokens the loss counts."""
        return int((self.labels[:, 1:] != IGNORED).sum())

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return sum(self.lengths)

    @property
    def positions(self) -> int:
        """Tokens with padding (B times T)."""
        return self.input_ids.numel()

    @property
    def patch_count(self) -> int:
        """How many patches all images have, with those whose patches are left out."""
        return sum(map(math.prod, self.grids))

    @property
    def images(self) -> int:
        """How many images there are (I)."""
        return 0 if self.image_grid_thw is None else len(self.image_grid_thw)

    @cached_property
    def grids(self) -> list[list[int]]:
        """The grid of each image: frames, rows and columns of patches."""
        return [] if self.image_grid_thw is None else self.image_grid_thw.tolist()

    @cached_property
    def computed(self) -> tuple[bool, ...]:
        """For each image, whether the vision tower has to run on it; of equal ones on the first."""
        if not self.image_keys:
            return (True,) * self.images
        first = {key: place for place, key in reversed(list(enumerate(self.image_keys)))}
        return tuple(
            first[key] == place and key not in self.features
            for place, key in enumerate(self.image_keys)
        )

    @property
    def nbytes(self) -> int:
        """Memory of all tensors, in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors())

    def tensors(self) -> Iterable[Tensor]:
        """Return all tensors, wherever they are."""
        tensors = (value for value in vars(self).values() if isinstance(value, Tensor))
        return (*tensors, *self.features.values())

    def on(self, device: torch.device) -> "Batch":
        """Return the same with what the model takes on the device; asks a GPU for nothing.

        Labels and grids stay on the host, where they are counted and looked up.
        """
        there = {
            name: moved(value, device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor) and name not in ("labels", "image_grid_thw")
        }
        features = {key: moved(kept, device) for key, kept in self.features.items()}
        return replace(self, **there, features=features)

    def model_inputs(
        self, preprocessing: "Preprocessing", device: torch.device, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Return what `model(**inputs)` wants, labels excepted, on the device.

        Patches travel as uint8 and are normalised there: pixel_values is (P, D) of `dtype`.
        """
        inputs = self.token_inputs(device)
        if self.patches is not None:
            assert all(self.patched), "an image has no patches"
            patches = moved(self.patches, device)
            inputs["pixel_values"] = preprocessing.normalize_patches(patches, dtype)
        return inputs

    def token_inputs(self, device: torch.device) -> dict[str, Tensor]:
        """Return the inputs besides the pictures, on the device."""
        named = {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "position_ids": self.position_ids,
        }
        inputs = {name: moved(it, device) for name, it in named.items() if it is not None}
        if self.image_grid_thw is not None:
            inputs["mm_token_type_ids"] = moved(self.mm_token_type_ids, device)
            inputs["image_grid_thw"] = moved(self.image_grid_thw, device)
        return inputs

    @classmethod
    def from_arrays(cls, arrays: BatchArrays) -> "Batch":
        """Return the same batch as tensors, sharing the arrays' memory."""
        tensors = {
            name: torch.from_numpy(value)
            for name, value in vars(arrays).items()
            if isinstance(value, np.ndarray)
        }
        return cls(**{**vars(arrays), **tensors})


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device; to a GPU through pinned memory, without waiting for it."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What the samples of a window come to."""

    target_tokens: int = 0  # the loss's denominator
    samples: int = 0
    tokens: int = 0  # without padding
    positions: int = 0  # tokens with padding
    images: int = 0
    kept_images: int = 0  # those of them that need no vision tower
    sources: tuple[Source, ...] = ()  # where the samples' records lie
    skipped: tuple[Skipped, ...] = ()  # the records that left holes
    notes: Counter[str] = field(default_factory=Counter[str])  # what was changed, how often

    @classmethod
    def of(cls, batch: Batch) -> "Totals":
        """Return those of one batch."""
        return cls(
            **{
                name: getattr(batch, name)
                for name in ("target_tokens", "samples", "tokens", "positions")
            },
            images=batch.images,
            kept_images=batch.images - sum(batch.computed),
            sources=batch.sources,
            skipped=batch.skipped,
            notes=Counter(batch.notes),
        )

    def __add__(self, other: "Totals") -> "Totals":
        names = vars(self)
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, eq=False)
class Window:
    """All samples of one optimizer step, and the batches of them that this rank computes."""

    index: int  # from 0; window w makes step w + 1
    epoch: int
    batches: tuple[Batch, ...]
    numbers: tuple[int, ...]  # of the batches among those of all ranks
    totals: Totals  # over all ranks, once they have told each other

    @classmethod
    def of(
        cls, index: int, epoch: int, batches: Sequence[Batch], numbers: Iterable[int] | None = None
    ) -> "Window":
        """Return the window of these batches; without numbers they are all there are."""
        counted = range(len(batches)) if numbers is None else numbers
        totals = sum((Totals.of(batch) for batch in batches), Totals())
        return cls(index, epoch, tuple(batches), tuple(counted), totals)

    @property
    def target_tokens(self) -> int:
        """The loss's denominator."""
        return self.totals.target_tokens
