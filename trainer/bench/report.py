"""What the measurement says: rates, ratios, memory, and the losses side by side."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from trainer.bench.measure import Measured
from trainer.bench.side import Turn

OURS = "qvl"
Steps = list[dict[str, Any]]


def report(measured: Measured) -> dict[str, Any]:
    """Return everything as JSON has it.

    Rates are over the measured steps, the sum of what was done by the sum of the seconds. A ratio
    above 1 means that we are faster, take less of the processors' time, or need more memory.
    Processor time holds the workers', and others on the machine hardly change it.
    """
    told: dict[str, Any] = {"input": measured.input or None}
    if measured.turns:
        sides = {role: _side(measured, turns) for role, turns in measured.turns.items()}
        others = [role for role in sides if role != OURS]
        told |= {
            "facts": measured.facts,
            "sides": sides,
            "ratios": {role: _ratios(measured, sides, role) for role in others},
            "losses": _losses(measured),
            "label_share": _label_share(measured.turns[OURS]),
        }
    return told


def _label_share(turns: Iterable[Turn]) -> float:
    """Target tokens among all tokens."""
    steps = [step for turn in turns for step in turn.steps]
    return sum(it["target_tokens"] for it in steps) / sum(it["tokens"] for it in steps)


def _side(measured: Measured, turns: Sequence[Turn]) -> dict[str, Any]:
    steps = _measured_steps(measured, turns)
    epoch = measured.facts["steps_per_epoch"]
    return {
        "all": _rates(steps),
        "first_epoch": _rates([step for step in steps if step["step"] <= epoch]),
        "later_epochs": _rates([step for step in steps if step["step"] > epoch]),
        "memory": turns[-1].memory,
    }


def _measured_steps(measured: Measured, turns: Iterable[Turn]) -> Steps:
    """The steps that count, each with its number from 1: the last ones of every turn."""
    found: Steps = []
    for number, turn in enumerate(turns):
        first = number * measured.wanted.steps_of_a_turn + 1
        numbered = [{**step, "step": first + place} for place, step in enumerate(turn.steps)]
        found += numbered[-measured.wanted.steps :]
    return found


def _rates(steps: Steps) -> dict[str, float] | None:
    if not steps:
        return None
    seconds = sum(step["seconds"] for step in steps)
    return {
        "steps": len(steps),
        "seconds_per_step": seconds / len(steps),
        "samples_per_second": sum(step["samples"] for step in steps) / seconds,
        "tokens_per_second": sum(step["tokens"] for step in steps) / seconds,
        "processor_seconds_per_sample": sum(step["processor_seconds"] for step in steps)
        / sum(step["samples"] for step in steps),
        "target_tokens_per_second": sum(step["target_tokens"] for step in steps) / seconds,
    }


def _ratios(measured: Measured, sides: dict[str, Any], role: str) -> dict[str, Any]:
    def speed(place: str) -> float | None:
        ours, theirs = sides[OURS][place], sides[role][place]
        return ours and ours["samples_per_second"] / theirs["samples_per_second"]

    def processor_time(place: str) -> float | None:
        ours, theirs = sides[OURS][place], sides[role][place]
        name = "processor_seconds_per_sample"
        return ours and theirs[name] / ours[name]

    turns = zip(measured.turns[OURS], measured.turns[role], strict=True)
    rounds = [_seconds(measured, theirs) / _seconds(measured, ours) for ours, theirs in turns]
    return {
        "speed": speed("all"),
        "speed_first_epoch": speed("first_epoch"),
        "speed_later_epochs": speed("later_epochs"),
        "speed_by_round": rounds,
        "processor_time": processor_time("all"),
        "processor_time_first_epoch": processor_time("first_epoch"),
        "processor_time_later_epochs": processor_time("later_epochs"),
        "memory": most_bytes(sides[OURS]["memory"]) / most_bytes(sides[role]["memory"]),
        "largest_loss_difference": _difference(measured, role),
    }


def _seconds(measured: Measured, turn: Turn) -> float:
    return sum(step["seconds"] for step in turn.steps[-measured.wanted.steps :])


def most_bytes(memory: dict[str, int | None]) -> int:
    """Return the peak that counts: of the GPU, else of the process with its children."""
    peak = memory["gpu"] or memory["with_children"]
    assert peak, memory
    return peak


def _losses(measured: Measured) -> list[dict[str, Any]]:
    """The loss of every step by role, the unmeasured ones too."""
    by_role = {role: _loss_of_steps(turns) for role, turns in measured.turns.items()}
    steps = range(len(by_role[OURS]))
    return [
        {"step": step + 1, **{role: losses[step] for role, losses in by_role.items()}}
        for step in steps
    ]


def _difference(measured: Measured, role: str) -> float | None:
    """The largest difference of any step; None where a loss was not finite."""
    pairs = zip(
        _loss_of_steps(measured.turns[OURS]), _loss_of_steps(measured.turns[role]), strict=True
    )
    differences = [
        math.nan if None in (ours, other) else abs(ours - other) for ours, other in pairs
    ]
    return None if any(map(math.isnan, differences)) else max(differences)


def _loss_of_steps(turns: Iterable[Turn]) -> list[Any]:
    return [step["loss"] for turn in turns for step in turn.steps]
