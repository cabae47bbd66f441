"""Cross entropy on the tokens that have a label.

B samples, T tokens, N target tokens
"""

from typing import Any

import torch

from trainer.model.body import head_weight, hidden_states
from trainer.objectives.head import head_sums
from trainer.objectives.terms import Terms

IGNORED_LABEL = -100


def supervised_terms(model: torch.nn.Module, inputs: dict[str, Any], labels: torch.Tensor) -> Terms:
    """Return the summed cross entropy of a batch with accuracy and entropy sums.

    The head runs only where the next token has a label.

    Args:
        model: A causal language model, with or without an adapter.
        inputs: What the model's forward takes.
        labels: (B, T) token ids, `IGNORED_LABEL` where nothing is trained; on the host, where
            counting them waits for nobody.

    Raises:
        ValueError: The batch has no target token.

    """
    rows, wanted = target_rows(labels)
    if not len(rows):
        msg = "the batch has no target token"
        raise ValueError(msg)
    device = head_weight(model).device
    rows, wanted = (it.to(device, non_blocking=True) for it in (rows, wanted))
    hidden = hidden_states(model, inputs, rows).flatten(0, 1)  # (B * T, H)
    chosen = hidden.index_select(0, rows)  # (N, H)
    sums = head_sums(chosen, head_weight(model), wanted)
    detached = {name: value.detach() for name, value in sums._asdict().items()}
    return Terms(sums.loss, len(rows), detached)


def target_rows(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the flat positions (N,) whose next token has a label, and those labels (N,)."""
    targets = labels.new_full(labels.shape, IGNORED_LABEL)
    targets[:, :-1] = labels[:, 1:]  # the token after each position
    targets = targets.flatten()
    rows = (targets != IGNORED_LABEL).nonzero().flatten()
    return rows, targets[rows]
