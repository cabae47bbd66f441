"""Let everybody train the same, in turns, and collect what they report."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from trainer.bench.files import BenchFiles
from trainer.bench.side import Side, Turn
from trainer.bench.wanted import Wanted

Tell = Callable[[str], None]


@dataclass
class Measured:
    """Everything that was reported."""

    wanted: Wanted
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    input: dict[str, Any] = field(default_factory=dict[str, Any])
    turns: dict[str, list[Turn]] = field(default_factory=dict[str, list[Turn]])  # by role


def measure_input(files: BenchFiles, measured: Measured) -> None:
    """Measure index, reader and loader; raises BenchFailed."""
    with closing(Side("input", files.root)) as side:
        measured.input = side.facts()


def measure_training(wanted: Wanted, files: BenchFiles, measured: Measured, tell: Tell) -> None:
    """Let the whole loop, the bare step and the peers take turns; raises BenchFailed.

    Everybody's model stays in memory. Who begins a round alternates.
    """
    with ExitStack() as stack:

        def begin(role: str) -> Side:
            tell(f"{role}: loading ...")
            return stack.enter_context(closing(Side(role, files.root)))

        sides = [begin("qvl")]
        measured.facts = sides[0].facts()  # by then, what the others need is written
        sides += [begin(role) for role in ("bare", *wanted.peers)]
        for side in sides[1:]:
            side.facts()
        for number in range(wanted.rounds):
            _round(wanted, sides if number % 2 == 0 else sides[::-1], measured)
            tell(f"round {number + 1} of {wanted.rounds}: {_paces(wanted, sides, measured)}")


def _round(wanted: Wanted, sides: Sequence[Side], measured: Measured) -> None:
    for side in sides:
        turn = side.turn(wanted.steps_of_a_turn)
        measured.turns.setdefault(side.role, []).append(turn)


def _paces(wanted: Wanted, sides: Sequence[Side], measured: Measured) -> str:
    """How long everybody took for a step."""
    last = {side.role: measured.turns[side.role][-1].steps[-wanted.steps :] for side in sides}
    return ", ".join(
        f"{role} {sum(step['seconds'] for step in steps) / len(steps):.3g} s a step"
        for role, steps in last.items()
    )
