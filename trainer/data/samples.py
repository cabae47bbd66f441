"""Samples, and the arrays of a batch as they travel between processes."""

# B samples, T tokens, P patches, D values a patch, I images

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.data.errors import Source

IGNORED = -100  # label of a token that is not trained


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """One record, or a group of them, as the model reads it."""

    sources: tuple[Source, ...]  # of the records
    input_ids: np.ndarray  # int64 (T,)
    labels: np.ndarray  # int64 (T,)
    mm_token_type_ids: np.ndarray  # int64 (T,), 0 text, 1 image
    patches: np.ndarray | None  # uint8 (P, D), of the images that are patched
    image_grid_thw: np.ndarray | None  # int64 (I, 3), of all images
    rope: np.ndarray  # int64 (3, T), positions in time, height and width
    image_keys: tuple[bytes, ...] = ()  # (I,), SHA-256 of each encoded image; empty: not asked for
    patched: tuple[bool, ...] = ()  # (I,), False: what the vision tower makes of it is kept
    notes: tuple[str, ...] = ()  # what was changed on the way

    @property
    def target_tokens(self) -> int:
        """Tokens the loss counts; the first has nothing before it that could predict it."""
        return int((self.labels[1:] != IGNORED).sum())


@dataclass(frozen=True)
class Skipped:
    """A record that left a hole in its batch."""

    source: Source
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchArrays:
    """A batch as it travels between processes: numpy arrays, no shared memory."""

    input_ids: np.ndarray
    attention_mask: np.ndarray
    labels: np.ndarray
    mm_token_type_ids: np.ndarray
    patches: np.ndarray | None
    image_grid_thw: np.ndarray | None
    rope: np.ndarray | None  # int64 (3, B, T); None: without images
    image_keys: tuple[bytes, ...]
    patched: tuple[bool, ...]
    sources: tuple[Source, ...]
    skipped: tuple[Skipped, ...]
    lengths: tuple[int, ...]
    notes: dict[str, int]

    @property
    def patch_count(self) -> int:
        """How many patches there are (P)."""
        return 0 if self.patches is None else len(self.patches)


def collate(samples: Sequence[Sample], skipped: Sequence[Skipped], pad_id: int) -> BatchArrays:
    """Return samples side by side, padded on the right to the longest; (0, 0) when there are none.

    Patches and grids are those of all samples one after the other, None without any image.
    """
    patches = [sample.patches for sample in samples if sample.patches is not None]
    grids = [sample.image_grid_thw for sample in samples if sample.image_grid_thw is not None]
    return BatchArrays(
        input_ids=_padded([sample.input_ids for sample in samples], pad_id),
        attention_mask=_padded([np.ones_like(sample.input_ids) for sample in samples], 0),
        labels=_padded([sample.labels for sample in samples], IGNORED),
        mm_token_type_ids=_padded([sample.mm_token_type_ids for sample in samples], 0),
        patches=np.concatenate(patches) if patches else None,
        image_grid_thw=np.concatenate(grids) if grids else None,
        rope=_stacked([sample.rope for sample in samples]) if grids else None,
        image_keys=tuple(key for sample in samples for key in sample.image_keys),
        patched=tuple(it for sample in samples for it in sample.patched),
        sources=tuple(source for sample in samples for source in sample.sources),
        skipped=tuple(skipped),
        lengths=tuple(len(sample.input_ids) for sample in samples),
        notes=dict(Counter(note for sample in samples for note in sample.notes)),
    )


def _stacked(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Positions (3, T) of each sample as (3, B, T), zero where a sample is padded."""
    return np.stack([_padded([it[axis] for it in positions], 0) for axis in range(3)])


def _padded(rows: Sequence[np.ndarray], fill: int) -> np.ndarray:
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), width), fill, dtype=np.int64)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table
