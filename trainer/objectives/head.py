"""Cross entropy of hidden states against the whole vocabulary, a chunk of rows at a time.

N rows with a label, C rows of a chunk, H hidden, V vocabulary

Logits exist for one chunk only. Their gradients are known as soon as they are, so the forward
already turns them into the gradients of hidden states and head: nothing of size V is kept, and no
product is done twice. The idea is that of Liger Kernel's fused linear cross entropy
(arXiv:2410.10989, `liger_kernel/ops/fused_linear_cross_entropy.py`); this is plain torch.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.model.chunk import CHUNK_LOGITS
from trainer.model.precision import product_dtype


class HeadSums(NamedTuple):
    """fp32 scalars, summed over rows; only `loss` has a gradient."""

    loss: Tensor  # cross entropy in nats
    correct: Tensor  # rows whose wanted token is ranked first
    entropy: Tensor  # of the predicted distributions, in nats


def head_sums(hidden: Tensor, weight: Tensor, wanted: Tensor) -> HeadSums:
    """Return loss, correct rows and entropy of predicting `wanted` (N,) from `hidden` (N, H).

    Products are in autocast's precision, the softmax is in fp32. `weight` is the head's (V, H);
    its gradient is only worked out when it is trained. The backward can run once.
    """
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        return HeadSums(*_ChunkedHead.apply(hidden, weight, wanted))  # pyright: ignore
    return _run(hidden, weight, wanted, None, None)


class _ChunkedHead(Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, wanted: Tensor) -> HeadSums:
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        sums = _run(hidden, weight, wanted, of_hidden, of_weight)
        ctx.gradients = of_hidden, of_weight
        ctx.mark_non_differentiable(sums.correct, sums.entropy)
        return sums

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *upstream: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        of_hidden, of_weight = ctx.gradients
        del ctx.gradients  # they are scaled in place, so a second backward has to fail
        for gradient in (of_hidden, of_weight):
            if gradient is not None:
                gradient.mul_(upstream[0])
        return of_hidden, of_weight, None


@torch.no_grad()
def _run(
    hidden: Tensor,
    weight: Tensor,
    wanted: Tensor,
    of_hidden: Tensor | None,
    of_weight: Tensor | None,
) -> HeadSums:
    """Return the sums and fill the gradients of the loss that are not None."""
    dtype = product_dtype(hidden)
    sums = hidden.new_zeros(3, dtype=torch.float32)
    with torch.autocast(hidden.device.type, enabled=False):
        head = weight.to(dtype)
        for chunk in _chunks(len(hidden), len(weight)):
            rows = hidden[chunk].to(dtype)  # (C, H)
            of_chunk, slope = _chunk_sums(rows @ head.T, wanted[chunk])
            sums += of_chunk
            if of_hidden is not None:
                of_hidden[chunk] = slope @ head
            if of_weight is not None:
                _add_product(of_weight, slope.T, rows)
    return HeadSums(*sums.unbind())


def _chunk_sums(product: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the three sums, and the loss's gradient to the logits `product` (C, V)."""
    logits = product.float()
    largest, place = logits.max(dim=-1, keepdim=True)  # (C, 1)
    logits = logits.sub_(largest)
    probabilities = logits.exp()
    totals = probabilities.sum(dim=-1, keepdim=True)
    probabilities /= totals
    index = wanted[:, None]  # (C, 1)
    normaliser = totals.log().sum()
    loss = normaliser - logits.gather(1, index).sum()
    expected = torch.bmm(probabilities[:, None, :], logits[:, :, None])  # (C, 1, 1)
    sums = torch.stack([loss, (place == index).sum().float(), normaliser - expected.sum()])
    probabilities.scatter_add_(1, index, torch.full_like(totals, -1.0))
    return sums, probabilities.to(product.dtype)


def _chunks(rows: int, vocabulary: int) -> Iterator[slice]:
    size = max(1, CHUNK_LOGITS // vocabulary)
    return (slice(start, start + size) for start in range(0, rows, size))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product to a sum that may be more precise than its factors."""
    if total.dtype == left.dtype:
        torch.addmm(total, left, right, out=total)
    else:
        total += left @ right
