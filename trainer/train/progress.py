"""Where training stands: the few numbers a checkpoint carries besides tensors."""

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson


@dataclass
class Progress:
    """Counters of a run; all randomness follows from `step`, so there is no other state."""

    step: int = 0  # optimizer steps done
    target_tokens: int = 0
    samples: int = 0
    nonfinite_in_a_row: int = 0
    best_step: int | None = None
    best_loss: float | None = None
    evaluations_since_best: int = 0
    last_evaluation: dict[str, Any] = field(default_factory=dict[str, Any])
    stopped_early: bool = False
    threads: int = 0
    ranks: int = 0
    total_steps: int = 0

    def note_evaluation(self, metrics: dict[str, Any], min_improvement: float) -> bool:
        """Take an evaluation into account and return whether it is the best so far."""
        self.last_evaluation = {**metrics, "step": self.step}
        loss: float | None = metrics["loss"]
        is_best = loss is not None and (
            self.best_loss is None or loss < self.best_loss - min_improvement
        )
        if is_best:
            self.best_step, self.best_loss = self.step, loss
        self.evaluations_since_best = 0 if is_best else self.evaluations_since_best + 1
        return is_best

    @property
    def evaluated(self) -> bool:
        """Whether the weights of this step were validated."""
        return self.last_evaluation.get("step") == self.step


def encode_progress(progress: Progress, optimizer_steps: dict[str, float]) -> bytes:
    """Return state.json: the counters and the optimizer's step count of every parameter."""
    content = {"progress": asdict(progress), "optimizer_steps": optimizer_steps}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def decode_progress(content: bytes) -> tuple[Progress, dict[str, float]]:
    """Return what `encode_progress` was given.

    Raises:
        ValueError: It is not a state.json of this program.

    """
    try:
        fields = orjson.loads(content)
        return Progress(**fields["progress"]), fields["optimizer_steps"]
    except (KeyError, TypeError) as error:
        msg = f"state.json cannot be read: {error}"
        raise ValueError(msg) from error
