"""What is to be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.demo.model_shapes import Size

Peer = Literal["trl", "trl-tuned"]
UNMEASURED_STEPS = 1  # of every turn: after it, as much is read ahead as before


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to measure."""

    source: str | None  # a configuration; None: one of our own on a checkpoint of `size`
    overrides: Sequence[str]
    size: Size
    device: Literal["cpu", "cuda"]  # where the model is built, if it is
    peers: Sequence[Peer]
    steps: int  # measured in each turn
    rounds: int
    answer_tokens: int | None = None  # of our own records; None: a tenth of each

    @property
    def steps_of_a_turn(self) -> int:
        """Steps that are taken in each turn."""
        return self.steps + UNMEASURED_STEPS

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.rounds * self.steps_of_a_turn
