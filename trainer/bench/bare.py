"""The least that this training can take: forward, backward and update, on batches that are ready.

Written out here on purpose, with nothing of the loop in it: what the loop adds is what it costs.
"""

# N target tokens of a batch, H hidden, V vocabulary

from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainer.bench.files import BenchFiles
from trainer.bench.ours import prepared
from trainer.bench.turns import StepDone, Turns
from trainer.data.batch import Window
from trainer.model.body import base_of
from trainer.objectives.supervised import target_rows
from trainer.train.setup import Setup
from trainer.train.step import set_learning_rates


def train_bare_steps(files: BenchFiles, turns: Turns) -> None:
    """Take steps in turns, until there are no more; windows are fetched before the clock runs."""
    setup, progress, _requests = prepared(files, "bare")
    with setup.pool:
        windows = setup.windows(0)
        turns.report()
        while wanted := turns.wait():
            fetched = list(islice(windows, wanted))
            turns.start_clock()
            for window in fetched:
                progress.step += 1
                set_learning_rates(setup, progress.step)
                turns.step(_done(window, _step(setup, window)))


def _step(setup: Setup, window: Window) -> float:
    """Return the loss of an optimizer step; its number is waited for, as everybody does."""
    trained = [weight for weight in setup.model.parameters() if weight.requires_grad]
    total = torch.zeros((), device=setup.accelerator.device)
    for batch in window.batches:
        inputs, labels = setup.forward.inputs(batch)
        with setup.accelerator.autocast():
            loss = _loss(setup.model, inputs, labels) / window.target_tokens
        loss.backward()
        total += loss.detach()
    torch.nn.utils.clip_grad_norm_(trained, setup.config.optimizer.max_gradient_norm)
    setup.optimizer.step()
    setup.optimizer.zero_grad(set_to_none=True)
    return total.item()


def _loss(model: torch.nn.Module, inputs: dict[str, Any], labels: Tensor) -> Tensor:
    """Return the summed cross entropy; the head runs on rows that have a label."""
    base = base_of(model)
    hidden = base.model(**inputs, use_cache=False).last_hidden_state.flatten(0, 1)
    rows, wanted = (it.to(hidden.device) for it in target_rows(labels))
    logits = base.lm_head(hidden[rows])  # (N, V)
    return cross_entropy(logits.float(), wanted, reduction="sum")


def _done(window: Window, loss: float) -> StepDone:
    return StepDone(
        loss=loss,
        target_tokens=window.target_tokens,
        tokens=window.totals.tokens,
        samples=window.totals.samples,
    )
