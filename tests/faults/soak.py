"""Kill a real training run at random moments, many times, and hold it against one left alone.

Usage: python -m tests.faults.soak [--kills 200] [--seed 0] [--workers 1]

Trainer, supervisor and data workers of a tiny model get SIGKILL while they start, train and save.
The run goes on by itself or is resumed. In the end every step that was ever taken has the loss of
the undisturbed run, the last checkpoint is the same to the last bit, and no record was trained
twice or not at all.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import torch

from tests.faults.killing import Killer, Moment
from tests.program import Program
from trainer.demo.shapes import write_shapes
from trainer.demo.tiny import build_tiny_checkpoint
from trainer.run.events import (
    AnyEvent,
    CheckpointRejected,
    Notice,
    Resumed,
    Step,
)
from trainer.run.manifest import verify_checkpoint
from trainer.run.tail import EventTail
from trainer.train.save import STATE_NAME
from trainer.train.versions import package_versions

STEPS_PER_KILL, FURTHER_STEPS = 5, 15  # enough that the last kill falls before the end
SAMPLES_PER_STEP = 4


@dataclass(frozen=True)
class Figures:
    """What a soak came to."""

    killed: Counter[str]  # by who and when
    attempts: int
    steps: int
    repeated_steps: int
    different_losses: int
    different_files: tuple[str, ...]  # of the last checkpoint
    verified: int
    wrong_counters: int  # of verified checkpoints
    rejected: int
    half_written: int  # folders of saves that were cut short
    lost: int  # records
    doubled: int
    step_seconds: float
    start_seconds: float
    lost_seconds: float  # a kill: until the run is again where it was

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, damaged or different."""
        bad = (self.different_losses, self.wrong_counters, self.rejected, self.lost, self.doubled)
        return not any(bad) and not self.different_files

    def __str__(self) -> str:
        killed = ", ".join(f"{count} {name}" for name, count in sorted(self.killed.items()))
        files = ", ".join(self.different_files) or 0
        return "\n".join(
            (
                f"kills survived             {self.killed.total()} ({killed})",
                f"attempts                   {self.attempts}",
                f"steps                      {self.steps}, {self.repeated_steps} taken again",
                f"losses that differ         {self.different_losses}",
                f"files that differ          {files}, of the last checkpoint",
                f"checkpoints verified       {self.verified}, rejected {self.rejected}, "
                f"with wrong counters {self.wrong_counters}",
                f"saves cut short            {self.half_written}",
                f"records lost, doubled      {self.lost}, {self.doubled}",
                f"seconds lost per kill      {self.lost_seconds:.1f} (a start "
                f"{self.start_seconds:.1f}, a step {self.step_seconds:.3f})",
            )
        )


def soak(folder: Path, kills: int, seed: int, workers: int) -> Figures:
    """Kill a run so often, let it finish, and return how it compares with one left alone."""
    model = build_tiny_checkpoint(folder / "model")
    data = write_shapes(folder, train=48, validation=8, seed=7)
    steps = kills * STEPS_PER_KILL + FURTHER_STEPS
    alone, killed = (
        program(folder / name, model, data, workers=workers, steps=steps)
        for name in ("alone", "killed")
    )
    try:
        alone.call(*alone.train(f"checkpoint.every_steps={steps}"))
        killed.call(*killed.train("--detach"))
        killer = Killer(killed)
        chance = random.Random(seed)
        while killer.kills < kills:
            killer.kill(Moment.draw(chance, workers=workers > 0))
            assert not killer.finished, f"it ended before kill {killer.kills + 1}"
            sys.stderr.write(f"kill {killer.kills} of {kills}, attempt {killer.attempt}\n")
        killer.wait_for_the_end()
        killer.verify()
    finally:
        killed.clean_up()
        alone.clean_up()
    return compare(alone, killer)


def program(
    folder: Path, model: Path, data: tuple[Path, Path], *, workers: int, steps: int
) -> Program:
    """Return a run of the tiny model that saves at every second step."""
    folder.mkdir()
    return Program(
        folder,
        [
            f"model.path={model}",
            f"data.train={data[0]}",
            f"data.validation={data[1]}",
            f"data.cache_dir={folder / 'cache'}",
            f"data.workers={workers}",
            "model.dtype=fp32",
            "model.quantization=none",
            "optimizer.name=adamw",
            f"batch.accumulation={SAMPLES_PER_STEP}",
            "training.threads=1",
            f"training.max_steps={steps}",
            "evaluation.every_steps=25",
            "evaluation.generated_samples=0",
            "checkpoint.every_steps=2",
            "checkpoint.final_zip=false",
            f"supervision.auto_resume={steps}",
        ],
    )


def compare(alone: Program, killer: Killer) -> Figures:
    """Return the figures of a run that was killed, against one that was not."""
    expected = {event.step: event for event in events(alone) if isinstance(event, Step)}
    happened = events(killer.program)
    taken = [event for event in happened if isinstance(event, Step)]
    repeated = taken_again(taken)
    final = Counter(event.step for event in timeline(happened))
    waited = start_seconds(killer, taken)
    lost_seconds = sum(waited.values()) + sum(event.seconds for event in repeated)
    return Figures(
        killed=Counter({f"{who} {when}": n for (who, when), n in killer.killed.items()}),
        attempts=killer.attempt,
        steps=len(expected),
        repeated_steps=len(repeated),
        different_losses=sum(window(it) != window(expected[it.step]) for it in taken),
        different_files=different_files(
            *(it.layout.checkpoint(len(expected)) for it in (alone, killer.program))
        ),
        verified=len(killer.verified),
        wrong_counters=wrong_counters(killer, expected),
        rejected=sum(isinstance(event, CheckpointRejected) for event in happened),
        half_written=sum(
            isinstance(it, Notice) and "half-written" in it.message for it in happened
        ),
        lost=sum(it.samples for it in expected.values() if not final[it.step]),
        doubled=sum(expected[step].samples * (count - 1) for step, count in final.items()),
        step_seconds=median(event.seconds for event in expected.values()),
        start_seconds=median(waited.values()),
        lost_seconds=lost_seconds / killer.kills,
    )


def taken_again(taken: Iterable[Step]) -> list[Step]:
    """Return the steps that had been taken before."""
    before: set[int] = set()
    again: list[Step] = []
    for event in taken:
        if event.step in before:
            again.append(event)
        before.add(event.step)
    return again


def events(run: Program) -> list[AnyEvent]:
    """Return all events of a run's trainer."""
    tail = EventTail(run.layout.events)
    found = tail.read(complete=True)
    while not tail.at_end:
        found += tail.read(complete=True)
    assert not tail.unknown_types
    return found


def timeline(happened: Iterable[AnyEvent]) -> list[Step]:
    """Return the steps whose updates are in the weights: those behind a resume are not."""
    steps: list[Step] = []
    for event in happened:
        if isinstance(event, Resumed):
            steps = [it for it in steps if it.step <= event.step]
        elif isinstance(event, Step):
            steps.append(event)
    return steps


def window(event: Step) -> tuple[float | None, ...]:
    """Return what tells the records of a step and what came of them."""
    counts = (event.samples, event.images, event.tokens, event.target_tokens)
    return (*counts, event.loss, event.gradient_norm, event.entropy)


def wrong_counters(killer: Killer, expected: dict[int, Step]) -> int:
    """Return how many checkpoints do not count the records and tokens up to their step."""
    samples = tokens = 0
    sums: dict[int, tuple[int, int]] = {}
    for step in sorted(expected):
        samples += expected[step].samples
        tokens += expected[step].target_tokens
        sums[step] = samples, tokens
    kept = killer.verified.values()
    return sum((it.samples, it.target_tokens) != sums[it.step] for it in kept)


def different_files(one: Path, other: Path) -> tuple[str, ...]:
    """Return the files of two checkpoints that are not the same to the last bit."""
    ones, others = verify_checkpoint(one).files, verify_checkpoint(other).files
    names = sorted({*ones, *others} - {STATE_NAME})
    different = [name for name in names if ones.get(name) != others.get(name)]
    same_state = state_without_times(one) == state_without_times(other)
    return (*different, *(() if same_state else (STATE_NAME,)))


def state_without_times(checkpoint: Path) -> dict[str, Any]:
    """Return state.json but for how long the last validation took."""
    state = orjson.loads((checkpoint / STATE_NAME).read_bytes())
    del state["progress"]["last_evaluation"]["seconds"]
    return state


def start_seconds(killer: Killer, taken: Iterable[Step]) -> dict[int, float]:
    """Return for each attempt after a kill how long it took from there to its first step.

    One that was killed before that counts up to its own kill.
    """
    begun: dict[int, float] = {}
    for event in taken:
        begun.setdefault(event.attempt, event.time - event.seconds)
    waited: dict[int, float] = {}
    for killed, time_killed in killer.kill_times.items():
        until = begun.get(killed + 1) or killer.kill_times.get(killed + 1)
        if until is not None:
            waited[killed + 1] = until - time_killed
    return waited


def main() -> int:
    """Soak, print the figures, and return 0 only where nothing was lost."""
    parser = argparse.ArgumentParser(description="Kill a real training run many times.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qvl-soak-") as folder:
        figures = soak(Path(folder), given.kills, given.seed, given.workers)
    versions = ", ".join(f"{name} {number}" for name, number in package_versions().items())
    sys.stdout.write(
        f"{figures}\nin all {time.monotonic() - started:.0f} s, seed {given.seed}\n{versions}\n"
    )
    return 0 if figures.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
