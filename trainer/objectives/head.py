"""Cross entropy of hidden states against the whole vocabulary, a chunk of logits at a time.

N rows with a label, C rows or words of a chunk, H hidden, V vocabulary

Logits exist for one chunk only. Their gradients are known as soon as they are, so the forward
already turns them into the gradients of hidden states and head: nothing of size V is kept, and no
product is done twice. The idea is that of Liger Kernel's fused linear cross entropy
(arXiv:2410.10989, `liger_kernel/ops/fused_linear_cross_entropy.py`); this is plain torch.

A head that is trained takes some rows at a time, with all words. A frozen one takes all rows, with
some words at a time, so its weights are read once. Seen from a row it is attention over the words,
whose keys and values are its weights, less the word that is wanted; and so it goes as in
FlashAttention (arXiv:2205.14135): what was summed up fades whenever a larger logit turns up.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.model.chunk import rows_at_once, words_at_once
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
    with torch.autocast(hidden.device.type, enabled=False):
        rows, head = hidden.to(dtype), weight.to(dtype)
        if of_weight is None:
            return _run_by_words(rows, head, wanted, of_hidden)
        sums = hidden.new_zeros(3, dtype=torch.float32)
        for chunk in _chunks(len(hidden), rows_at_once(len(weight))):
            of_chunk, slope = _chunk_sums(rows[chunk] @ head.T, wanted[chunk])
            sums += of_chunk
            if of_hidden is not None:
                of_hidden[chunk] = slope @ head
            _add_product(of_weight, slope.T, rows[chunk])
    return HeadSums(*sums.unbind())


def _run_by_words(
    hidden: Tensor, head: Tensor, wanted: Tensor, of_hidden: Tensor | None
) -> HeadSums:
    """Return the sums and fill the gradient to `hidden` if it is not None; nothing waits."""
    column = hidden.new_zeros(len(hidden), 1, dtype=torch.float32)
    largest, place = column - torch.inf, torch.zeros_like(column, dtype=torch.int64)
    # Sums over words, each weighted with exp(logit - largest): of ones, of logits, of weights. The
    # last leaves out the wanted word, whose weight would nearly cancel where it is predicted well.
    total, weighted, wanted_logit = column.clone(), column.clone(), column
    others = hidden.new_zeros(hidden.shape, dtype=torch.float32)
    for words in _chunks(len(head), words_at_once(len(hidden), hidden.device.type)):
        logits = (hidden @ head[words].T).float()  # (N, C)
        highest, at = logits.max(dim=-1, keepdim=True)  # (N, 1)
        place = torch.where(highest > largest, at + words.start, place)
        before, largest = largest, torch.maximum(largest, highest)
        fading, shares = (before - largest).exp_(), (logits - largest).exp_()
        total = torch.addcmul(shares.sum(dim=-1, keepdim=True), total, fading)
        expected = torch.bmm(shares[:, None, :], logits[:, :, None])[:, 0]
        weighted = torch.addcmul(expected, weighted, fading)
        index = wanted[:, None] - words.start
        inside, index = (index >= 0) & (index < len(logits[0])), index.clamp(0, len(logits[0]) - 1)
        wanted_logit = torch.where(inside, logits.gather(1, index), wanted_logit)
        if of_hidden is not None:
            shares.scatter_(1, index, shares.gather(1, index).masked_fill_(inside, 0.0))
            _add_product(others.mul_(fading), shares.to(head.dtype), head[words])
    normaliser = largest + total.log()
    if of_hidden is not None:
        missing = 1 - (wanted_logit - normaliser).exp()
        of_hidden.copy_(others / total - missing * head[wanted])
    right = (place[:, 0] == wanted).sum().float()
    return HeadSums((normaliser - wanted_logit).sum(), right, (normaliser - weighted / total).sum())


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


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product to a sum that may be more precise than its factors."""
    if total.dtype == left.dtype:
        torch.addmm(total, left, right, out=total)
    else:
        total += left @ right
