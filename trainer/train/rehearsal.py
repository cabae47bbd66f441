"""Run the largest batch once before step 1, so that a lack of memory shows in minute one."""

import heapq
from collections.abc import Sequence

from trainer.data.batch import Batch, Window
from trainer.data.layout import Layout
from trainer.data.lengths import kept_length_table
from trainer.data.packing import Size
from trainer.data.worker import Request
from trainer.run.events import Notice
from trainer.train.out_of_memory import memory_for
from trainer.train.setup import Setup
from trainer.train.window import accumulate_gradients

CANDIDATES = 64  # longest samples, of which the ones with most tokens are taken


def rehearse_largest_batch(setup: Setup) -> None:
    """Run forward and backward over the largest micro-batch; nothing is updated.

    The longest samples are encoded, and the ones with most tokens among them make the batch. How
    long a sample is tells the length table; where there is none, the length of its lines.
    """
    train = setup.splits["train"]
    table = kept_length_table(train.records, setup.forward.preprocessing.measuring())
    sizes = setup.train_data.sizes() if table is None else table.tokens
    longest = train.grouping.largest(sizes, CANDIDATES, epoch=0)
    singles = list(setup.pool.batches(Request("train", (sample,), 0) for sample in longest))
    if setup.layout is None:
        tokens = {sample: it.tokens for sample, it in zip(longest, singles, strict=True)}
        chosen = tuple(heapq.nlargest(setup.config.batch.size, tokens, key=tokens.__getitem__))
        (batch,) = setup.pool.batches([Request("train", chosen, 0)])
    else:
        batch = largest_of(setup.layout, singles, setup.config.samples_per_step)
    with memory_for("trying the largest of all (batch.largest_first)"):
        accumulate_gradients(setup.forward, Window.of(0, 0, [batch]))
    setup.optimizer.zero_grad(set_to_none=True)
    message = f"the largest micro-batch fits: {batch.samples} samples, {batch.tokens} tokens"
    setup.recorder.write(Notice(topic="largest_first", message=message))


def largest_of(layout: Layout, singles: Sequence[Batch], most: int) -> Batch:
    """Return the largest micro-batch that a layout makes of at most so many of these samples."""
    whole = sorted((it for it in singles if it.samples), key=lambda it: -it.tokens)
    groups = layout.places([Size(it.tokens, it.patch_count) for it in whole])
    batches = (layout.batches([whole[it] for it in group[:most]])[0] for group in groups)
    return max(batches, key=lambda it: it.positions, default=singles[0])
