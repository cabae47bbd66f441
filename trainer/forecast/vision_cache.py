"""Estimate what keeping the outputs of a frozen vision tower takes.

(1 + deepstack levels) x width values a visual token: the language model's width behind the
mergers; where those are trained, the tower's own width for each patch of the token. Every picture
of training and validation counts once.
"""

from collections.abc import Iterable

from trainer.config.schema import RunConfig
from trainer.forecast.checkpoint import Checkpoint
from trainer.forecast.memory import VALUE_BYTES
from trainer.forecast.records import Look

PATCHES_PER_TOKEN = 4  # in all models of the family
LEVELS = "deepstack_merger_list."


def vision_cache_bytes(
    config: RunConfig, checkpoint: Checkpoint, looks: Iterable[Look], epochs: float
) -> int | None:
    """Return the bytes of all features that the run could use again; None: it keeps none."""
    where = config.model.vision_cache
    keeps = where in ("memory", "disk") or (where == "auto" and epochs > 1)
    if not keeps or not config.pictures_stay_the_same:
        return None
    tokens = sum(_visual_tokens(look) for look in looks)
    needed = round(tokens * _token_bytes(config, checkpoint))
    limit = config.model.vision_cache_bytes
    return needed if limit is None else min(needed, limit)


def _visual_tokens(look: Look) -> float:
    """Return the visual tokens of all records, from those that were looked at."""
    return sum(look.visual_tokens) / look.looked_at * look.records if look.looked_at else 0.0


def _token_bytes(config: RunConfig, checkpoint: Checkpoint) -> int:
    merged = config.tune.aligner == "frozen"
    width = checkpoint.hidden if merged else checkpoint.vision_hidden * PATCHES_PER_TOKEN
    levels = {
        tensor.name.partition(LEVELS)[2].partition(".")[0]
        for tensor in checkpoint.tensors
        if LEVELS in tensor.name
    }
    return (1 + len(levels)) * width * VALUE_BYTES[config.model.dtype]
