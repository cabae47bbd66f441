"""Cross entropy on the tokens that have a label.

B samples, T tokens, N target tokens, V vocabulary
"""

import torch
from torch.nn import functional

from trainer.objectives.terms import Terms

IGNORED_LABEL = -100


def supervised_terms(
    model: torch.nn.Module, inputs: dict[str, torch.Tensor], labels: torch.Tensor
) -> Terms:
    """Return the summed cross entropy of a batch with accuracy and entropy sums.

    The head runs only where the next token has a label, so logits are (N, V), not (B, T, V).

    Args:
        model: A causal language model that takes `logits_to_keep` as a (B, T) mask.
        inputs: What the model's forward takes.
        labels: (B, T) token ids, `IGNORED_LABEL` where nothing is trained.

    Raises:
        ValueError: The batch has no target token.

    """
    targets = labels[:, 1:]  # (B, T - 1), the token after each position
    has_target = functional.pad(targets != IGNORED_LABEL, (0, 1))  # (B, T)
    wanted = targets[targets != IGNORED_LABEL]  # (N,)
    if not wanted.numel():
        msg = "the batch has no target token"
        raise ValueError(msg)
    logits = model(**inputs, logits_to_keep=has_target, use_cache=False).logits
    logits = logits.reshape(-1, logits.shape[-1]).float()  # (N, V)
    assert logits.shape[0] == wanted.shape[0], "the head ran on other positions than the labels"
    loss = functional.cross_entropy(logits, wanted, reduction="sum")
    return Terms(loss, wanted.shape[0], {"loss": loss.detach(), **_metric_sums(logits, wanted)})


@torch.no_grad()
def _metric_sums(logits: torch.Tensor, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return how many tokens are ranked first, and the summed entropy in nats."""
    log_probabilities = functional.log_softmax(logits, dim=-1)  # (N, V)
    entropy = -(log_probabilities.exp() * log_probabilities).sum()
    return {"correct": (logits.argmax(dim=-1) == wanted).sum().float(), "entropy": entropy}
