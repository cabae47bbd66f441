"""Padded batches as tensors, and the window of one optimizer step."""

# B samples, T tokens, P patches, D values a patch, I images

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
    """Samples side by side, padded on the right. One without any sample is legal."""

    input_ids: Tensor  # int64 (B, T)
    attention_mask: Tensor  # int64 (B, T)
    labels: Tensor  # int64 (B, T)
    mm_token_type_ids: Tensor  # int64 (B, T), 0 text, 1 image
    patches: Tensor | None  # uint8 (P, D), of the images that are patched
    image_grid_thw: Tensor | None  # int64 (I, 3), of all images
    sources: tuple[Source, ...]  # of the samples' records
    skipped: tuple[Skipped, ...]
    image_keys: tuple[bytes, ...] = ()  # (I,); empty: nothing is kept of images
    patched: tuple[bool, ...] = ()  # (I,), whether an image has patches here
    features: dict[bytes, Tensor] = field(default_factory=dict[bytes, Tensor])  # kept, by key
    notes: dict[str, int] = field(default_factory=dict[str, int])  # what was changed, how often

    @property
    def samples(self) -> int:
        """How many samples there are (B)."""
        return len(self.input_ids)

    @cached_property
    def target_tokens(self) -> int:
        """Tokens the loss counts."""
        return int((self.labels[:, 1:] != IGNORED).sum())

    @cached_property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.attention_mask.sum())

    @property
    def positions(self) -> int:
        """Tokens with padding (B times T)."""
        return self.input_ids.numel()

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
        return sum(tensor.nbytes for tensor in self._tensors())

    def _tensors(self) -> Iterable[Tensor]:
        tensors = (self.input_ids, self.attention_mask, self.labels, self.mm_token_type_ids)
        pictures = (self.patches, self.image_grid_thw, *self.features.values())
        return (t for t in (*tensors, *pictures) if t is not None)

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
        inputs = {
            "input_ids": moved(self.input_ids, device),
            "attention_mask": moved(self.attention_mask, device),
        }
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
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@dataclass(frozen=True, eq=False)
class Window:
    """All samples of one optimizer step."""

    index: int  # from 0; window w makes step w + 1
    epoch: int
    batches: tuple[Batch, ...]
    target_tokens: int  # of all batches: the loss's denominator

    @classmethod
    def of(cls, index: int, epoch: int, batches: Sequence[Batch]) -> "Window":
        """Return the window of these batches."""
        return cls(index, epoch, tuple(batches), sum(batch.target_tokens for batch in batches))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The records that left holes."""
        return tuple(skipped for batch in self.batches for skipped in batch.skipped)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the samples' records lie."""
        return tuple(source for batch in self.batches for source in batch.sources)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(batch.samples for batch in self.batches)

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return sum(batch.tokens for batch in self.batches)

    @property
    def positions(self) -> int:
        """Tokens with padding."""
        return sum(batch.positions for batch in self.batches)

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(batch.images for batch in self.batches)

    @property
    def computed_images(self) -> int:
        """How many of them have to go through the vision tower."""
        return sum(sum(batch.computed) for batch in self.batches)

    @property
    def notes(self) -> dict[str, int]:
        """What was changed in the samples on the way, and in how many."""
        return dict(sum((Counter(batch.notes) for batch in self.batches), Counter[str]()))
