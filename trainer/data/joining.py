"""Join batches of single samples into one: side by side with padding, or in one row without."""

# S samples, T tokens

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from trainer.data.batch import Batch
from trainer.data.positions import rope_positions
from trainer.data.samples import IGNORED


def side_by_side(singles: Sequence[Batch], pad_id: int) -> Batch:
    """Return the samples of batches of one sample each, padded on the right to the longest."""

    def padded(rows: Sequence[Tensor], fill: int) -> Tensor:
        return pad_sequence([row[0] for row in rows], batch_first=True, padding_value=fill)

    return Batch(
        input_ids=padded([it.input_ids for it in singles], pad_id),
        attention_mask=padded([torch.ones_like(it.input_ids) for it in singles], 0),
        labels=padded([it.labels for it in singles], IGNORED),
        mm_token_type_ids=padded([it.mm_token_type_ids for it in singles], 0),
        rope=_rope_side_by_side(singles),
        **_together(singles),
    )


def _rope_side_by_side(singles: Sequence[Batch]) -> Tensor | None:
    """Positions (3, S, T) of samples, zero where they are padded; None without any image."""
    if all(it.rope is None for it in singles):
        return None
    texts = (torch.arange(it.input_ids.shape[1]).expand(3, 1, -1) for it in singles)
    rows = [text if it.rope is None else it.rope for it, text in zip(singles, texts, strict=True)]
    columns = pad_sequence([row.permute(2, 0, 1) for row in rows])  # (T, S, 3, 1)
    return columns[..., 0].permute(2, 1, 0).contiguous()


def in_one_row(singles: Sequence[Batch], merge: int) -> Batch:
    """Return the samples of batches of one sample each one after the other, (1, T).

    No sample's first token has a label: nothing before it could predict it.
    """
    labels = torch.cat([it.labels for it in singles], dim=1)
    starts = np.cumsum([0, *(it.input_ids.shape[1] for it in singles[:-1])])
    labels[0, starts] = IGNORED
    return Batch(
        input_ids=torch.cat([it.input_ids for it in singles], dim=1),
        attention_mask=None,
        labels=labels,
        mm_token_type_ids=torch.cat([it.mm_token_type_ids for it in singles], dim=1),
        position_ids=torch.cat([_positions(it, merge) for it in singles], dim=2),
        **_together(singles),
    )


def _positions(single: Batch, merge: int) -> Tensor:
    """Position in the text, then those of the rotary embedding, int64 (4, 1, T)."""
    kinds = single.mm_token_type_ids[0].numpy()
    grids = [] if single.image_grid_thw is None else single.image_grid_thw.tolist()
    rows = np.concatenate((np.arange(len(kinds))[None], rope_positions(kinds, grids, merge)))
    return torch.from_numpy(rows)[:, None]


def _together(singles: Sequence[Batch]) -> dict[str, Any]:
    """What is joined in the same way for both."""
    patches = [it.patches for it in singles if it.patches is not None]
    grids = [it.image_grid_thw for it in singles if it.image_grid_thw is not None]
    return {
        "lengths": tuple(length for it in singles for length in it.lengths),
        "patches": torch.cat(patches) if patches else None,
        "image_grid_thw": torch.cat(grids) if grids else None,
        "image_keys": tuple(key for it in singles for key in it.image_keys),
        "patched": tuple(there for it in singles for there in it.patched),
        "features": {key: kept for it in singles for key, kept in it.features.items()},
        "sources": tuple(source for it in singles for source in it.sources),
        "skipped": tuple(skipped for it in singles for skipped in it.skipped),
        "notes": dict(sum((Counter(it.notes) for it in singles), Counter[str]())),
    }
