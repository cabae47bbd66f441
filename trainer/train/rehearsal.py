"""Run the largest batch once before step 1, so that a lack of memory shows in minute one."""

import heapq

from trainer.data.batch import Window
from trainer.data.lengths import kept_length_table
from trainer.data.worker import Request
from trainer.run.events import Notice
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
    singles = setup.pool.batches(Request("train", (sample,), 0) for sample in longest)
    tokens = {sample: batch.tokens for sample, batch in zip(longest, singles, strict=True)}
    chosen = tuple(heapq.nlargest(setup.config.batch.size, tokens, key=tokens.__getitem__))
    (batch,) = setup.pool.batches([Request("train", chosen, 0)])
    accumulate_gradients(setup.forward, Window.of(0, 0, [batch]))
    setup.optimizer.zero_grad(set_to_none=True)
    message = f"the largest micro-batch fits: {batch.samples} samples, {batch.tokens} tokens"
    setup.recorder.write(Notice(topic="largest_first", message=message))
