"""Fuzz one reader for some time: `python -m tests.faults.fuzz records 600`.

Prints how many inputs were read, the slowest, by how much memory grew and how many files stayed
open. An input that crashes is shrunk and shown; one that hangs ends the process with the stack of
where.
"""

import argparse
import faulthandler
import gc
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.fuzz.targets import TARGETS, Target

INPUTS_A_ROUND = 100  # hypothesis remembers what it tried, so every round begins anew
HANG_SECONDS = 20.0
WARM_UP_ROUNDS = 2
MOST_GROWTH_BYTES = 50 * 2**20
MOST_LEFT_OPEN = 5


@dataclass
class Outcome:
    """What came of fuzzing."""

    inputs: int = 0
    slowest_seconds: float = 0.0
    first_bytes: int = 0  # resident, once warm
    most_bytes: int = 0
    left_open: int = 0  # files, since then

    @property
    def growth_bytes(self) -> int:
        """By how much resident memory grew after the first rounds."""
        return max(self.most_bytes - self.first_bytes, 0)


def fuzz(target: Target, folder: Path, seconds: float, first_seed: int) -> Outcome:
    """Read broken input until the time is over, and return what came of it."""
    outcome, process = Outcome(), psutil.Process()
    deadline, rounds, open_files = time.monotonic() + seconds, 0, 0
    while rounds <= WARM_UP_ROUNDS or time.monotonic() < deadline:
        one_round(target, folder, outcome, first_seed + rounds)
        rounds += 1
        gc.collect()
        resident = process.memory_info().rss
        if rounds <= WARM_UP_ROUNDS:
            outcome.first_bytes = outcome.most_bytes = resident
            open_files = process.num_fds()
        outcome.most_bytes = max(outcome.most_bytes, resident)
    outcome.left_open = process.num_fds() - open_files
    return outcome


def one_round(target: Target, folder: Path, outcome: Outcome, seed_of_round: int) -> None:
    """Read some inputs; what a reader raises, hypothesis shrinks and raises."""

    @seed(seed_of_round)
    @settings(
        max_examples=INPUTS_A_ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(target.inputs)
    def read(content: bytes) -> None:
        started = time.monotonic()
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            target.read(content, folder)
        finally:
            faulthandler.cancel_dump_traceback_later()
        outcome.inputs += 1
        outcome.slowest_seconds = max(outcome.slowest_seconds, time.monotonic() - started)

    read()


def main() -> int:
    """Fuzz the named reader and return 0 where it neither crashed nor kept too much."""
    parser = argparse.ArgumentParser(description="Fuzz a reader.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qvl-fuzz-") as folder:
        outcome = fuzz(TARGETS[given_.target](), Path(folder), given_.seconds, given_.seed)
    sys.stdout.write(
        f"{given_.target}: {outcome.inputs} inputs, the slowest {outcome.slowest_seconds:.2f} s, "
        f"{outcome.growth_bytes / 2**20:.1f} MiB of growth, {outcome.left_open} files left open, "
        f"seed {given_.seed}\n"
    )
    kept = outcome.growth_bytes > MOST_GROWTH_BYTES or outcome.left_open > MOST_LEFT_OPEN
    return int(kept)


if __name__ == "__main__":
    raise SystemExit(main())
