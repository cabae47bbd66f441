"""What a training step costs in floating-point operations, and how much a batch asks for.

A product of matrices costs 2 for every multiplication. Forward, gradient to the input and gradient
to the weight cost the same; the second is only worked out where something before it is trained,
the third where the weight itself is. Attention costs 4 x width for every pair of positions that
see each other, and twice that in the backward; causal attention sees half of the pairs. The head
and what lies behind the last layer's attention see target tokens alone. Left out: norms,
activations, rotary embeddings, softmax, dequantisation and the optimizer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of everything a batch makes the model compute; or what one of each costs."""

    patches: int = 0
    visual_tokens: int = 0  # after merging
    tokens: int = 0
    target_tokens: int = 0
    patch_pairs: int = 0  # within a picture
    window_pairs: int = 0  # within a window of a picture
    token_pairs: int = 0  # within a sample, causal

    def __add__(self, other: "Extent") -> "Extent":
        """Return the sum of every field."""
        return Extent(**{it.name: getattr(self, it.name) + getattr(other, it.name) for it in _ALL})

    def cost(self, amount: "Extent") -> int:
        """Return what an amount costs when this is what one of each costs."""
        return sum(a * b for a, b in zip(astuple(self), astuple(amount), strict=True))


_ALL = fields(Extent)


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of forward and backward."""

    model: int  # what the result needs
    recomputed: int = 0  # once more, by activation checkpointing

    def __add__(self, other: "Flops") -> "Flops":
        """Return the sum."""
        return Flops(self.model + other.model, self.recomputed + other.recomputed)


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """What one of each costs in a training step of one model."""

    vision: Extent
    text: Extent  # of a batch without pictures
    text_after_vision: Extent  # gradients may have to reach the pictures
    vision_recomputed: Extent
    text_recomputed: Extent
    text_after_vision_recomputed: Extent
    merge: int  # patches to a side of a visual token
    window: int | None  # patches to a side of an attention window
    trains_mergers: bool

    def extent(
        self, lengths: Iterable[int], grids: Sequence[Sequence[int]], target_tokens: int
    ) -> Extent:
        """Return the extent of a batch: tokens of each sample, (t, h, w) patches of each image."""
        lengths = list(lengths)
        frames = [(h, w) for t, h, w in grids for _ in range(t)]
        patches = sum(h * w for h, w in frames)
        windows = [_squares(h, self.window) * _squares(w, self.window) for h, w in frames]
        return Extent(
            patches=patches,
            visual_tokens=patches // self.merge**2,
            tokens=sum(lengths),
            target_tokens=target_tokens,
            patch_pairs=sum((h * w) ** 2 for h, w in frames),
            window_pairs=sum(windows),
            token_pairs=sum(length**2 for length in lengths) // 2,
        )

    def merged_again(self, grids: Sequence[Sequence[int]]) -> Extent:
        """Return the extent of images whose features are kept: at most the mergers run on them."""
        if not self.trains_mergers:
            return Extent()
        patches = sum(t * h * w for t, h, w in grids)
        return Extent(visual_tokens=patches // self.merge**2)

    def flops(self, extent: Extent) -> Flops:
        """Return what forward and backward over a batch of that extent take."""
        if not extent.visual_tokens:
            return Flops(self.text.cost(extent), self.text_recomputed.cost(extent))
        model = self.vision + self.text_after_vision
        again = self.vision_recomputed + self.text_after_vision_recomputed
        return Flops(model.cost(extent), again.cost(extent))


def _squares(length: int, window: int | None) -> int:
    """The sum of squares of the pieces that windows cut a length into."""
    if window is None:
        return length**2
    return length // window * window**2 + (length % window) ** 2
