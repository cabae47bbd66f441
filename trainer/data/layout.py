"""Lay the samples of an optimizer step into micro-batches, by what they really take."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainer.config.schema import RunConfig
from trainer.data.batch import Batch
from trainer.data.encoding import Encoder
from trainer.data.joining import in_one_row, side_by_side
from trainer.data.packing import Size, best_fit, by_length


@dataclass(frozen=True)
class Layout:
    """Makes micro-batches of samples that were built one by one; a pure function of its fields."""

    packed: bool  # in rows without padding, else padded with samples of similar length
    limit: Size  # of a micro-batch
    pad_id: int
    merge: int  # patches along the edge of one visual token

    @classmethod
    def of(cls, config: RunConfig, encoder: Encoder) -> "Layout | None":
        """Return the layout of a run; None where micro-batches are batch.size samples as dealt."""
        if config.batch.packing == "none":
            return None
        merge = encoder.picture_rule.merge
        tokens = config.micro_batch_tokens
        limit = Size(tokens, config.batch.patches or tokens * merge**2)
        return cls(config.batch.packing == "pack", limit, encoder.pad_id, merge)

    @property
    def unlimited(self) -> "Layout":
        """The layout that puts all samples into one micro-batch."""
        return replace(self, limit=Size(sys.maxsize, sys.maxsize))

    def batches(self, singles: Sequence[Batch]) -> list[Batch]:
        """Return the micro-batches of samples, each given as a batch of its own.

        A batch without a sample only tells what was skipped, which goes to the first micro-batch.
        """
        whole = [single for single in singles if single.samples]
        skipped = tuple(it for single in singles if not single.samples for it in single.skipped)
        if not whole:
            return [replace(single, skipped=skipped) for single in singles[:1]]
        places = self.places([Size(it.tokens, it.patch_count) for it in whole])
        first, *others = (self._joined([whole[it] for it in group]) for group in places)
        return [replace(first, skipped=(*skipped, *first.skipped)), *others]

    def places(self, sizes: Sequence[Size]) -> list[list[int]]:
        """Return which samples of an optimizer step share a micro-batch, by their places."""
        return (best_fit if self.packed else by_length)(sizes, self.limit)

    def _joined(self, singles: Sequence[Batch]) -> Batch:
        if self.packed:
            return in_one_row(singles, self.merge)
        return side_by_side(singles, self.pad_id)
