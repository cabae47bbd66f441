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
    patches: Tensor | None  # uint8 (P, D)
    image_grid_thw: Tensor | None  # int64 (I, 3)
    sources: tuple[Source, ...]  # of the samples' records
    skipped: tuple[Skipped, ...]
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

    @property
    def nbytes(self) -> int:
        """Memory of all tensors, in bytes."""
        return sum(tensor.nbytes for tensor in self._tensors())

    def _tensors(self) -> Iterable[Tensor]:
        tensors = (self.input_ids, self.attention_mask, self.labels, self.mm_token_type_ids)
        return (t for t in (*tensors, self.patches, self.image_grid_thw) if t is not None)

    def model_inputs(
        self, preprocessing: "Preprocessing", device: torch.device, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Return what `model(**inputs)` wants, labels excepted, on the device.

        Patches travel as uint8 and are normalised there: pixel_values is (P, D) of `dtype`.
        """
        inputs = {
            "input_ids": _moved(self.input_ids, device),
            "attention_mask": _moved(self.attention_mask, device),
        }
        if self.patches is not None and self.image_grid_thw is not None:
            inputs["mm_token_type_ids"] = _moved(self.mm_token_type_ids, device)
            patches = _moved(self.patches, device)
            inputs["pixel_values"] = preprocessing.normalize_patches(patches, dtype)
            inputs["image_grid_thw"] = _moved(self.image_grid_thw, device)
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


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; to a GPU through pinned memory, without waiting for it."""
    if device.type == "cuda":
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
    sources: tuple[Source, ...] = ()  # where the samples' records lie
    skipped: tuple[Skipped, ...] = ()  # the records that left holes
    notes: Counter[str] = field(default_factory=Counter[str])  # what was changed, how often

    @classmethod
    def of(cls, batch: Batch) -> "Totals":
        """Return those of one batch."""
        return cls(
            **{
                name: getattr(batch, name)
                for name in ("target_tokens", "samples", "tokens", "positions", "images")
            },
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
