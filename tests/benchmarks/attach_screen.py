"""Measure how long `qvl watch RUN` takes on a long run, from the start of its process.

Run it as `python -m tests.benchmarks.attach_screen [steps ...]`; a million steps need 0.6 GB. It
prints when the run's name and newest numbers are on the terminal, when all is read and drawn, and
the peak memory, as medians over some starts; then by how much memory grows while steps come in.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from tests.benchmarks.attach_speed import GOALS_SECONDS, LENGTHS, step_event, write_run
from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from trainer.run.codec import encode
from trainer.run.layout import RunLayout

ROUNDS = {100_000: 7, 1_000_000: 3}
FIRST_GOAL_SECONDS = 0.5
MEMORY_GOAL_BYTES = 400e6
QUIET_SECONDS = 0.4  # without output, after which the picture is complete
TIMEOUT_SECONDS = 120.0
SETTLE_SECONDS = 3.0  # in which charts are drawn anew
ADDED_STEPS = 20_000
ADDED_A_SECOND = 2_000
ADDED_AT_ONCE = 500


@dataclass(frozen=True)
class Attached:
    """One start of the screen, in seconds since its process began."""

    first: float  # name and newest numbers
    complete: float  # all is read, and drawn
    peak_bytes: int


def attach(layout: RunLayout, steps: int) -> Attached:
    """Open a run in the screen and leave it."""
    with watching(layout) as terminal:
        first = terminal.wait_for("s/step", TIMEOUT_SECONDS)
        assert layout.name.encode() in terminal.output
        terminal.wait_for(f"{steps:,}/{steps:,}", TIMEOUT_SECONDS)
        complete = _last_change(terminal)
        return Attached(first, complete, _peak_bytes(terminal.process.pid))


def growth_bytes(layout: RunLayout, steps: int) -> int:
    """Return by how much the screen's memory grows while it shows steps that come in fast."""
    with watching(layout) as terminal:
        terminal.wait_for(f"{steps:,}/{steps:,}", TIMEOUT_SECONDS)
        _last_change(terminal)
        process = psutil.Process(terminal.process.pid)
        before = process.memory_info().rss
        last = steps + ADDED_STEPS
        for begin in range(steps + 1, last + 1, ADDED_AT_ONCE):
            with layout.events.open("ab") as file:
                file.writelines(
                    encode(step_event(it)) for it in range(begin, begin + ADDED_AT_ONCE)
                )
            time.sleep(ADDED_AT_ONCE / ADDED_A_SECOND)
        time.sleep(SETTLE_SECONDS)
        return process.memory_info().rss - before


def watching(layout: RunLayout) -> PseudoTerminal:
    """Return a terminal in which `qvl watch` runs."""
    qvl = str(Path(sys.executable).with_name("qvl"))
    folder = str(layout.root.parent)
    environment = {"QVL_RUNS": folder, "XDG_CONFIG_HOME": folder}
    return PseudoTerminal([qvl, "watch", layout.name], environment=environment)


def _last_change(terminal: PseudoTerminal) -> float:
    """Return when the newest output came, once it has been quiet for a while."""
    while time.monotonic() - terminal.arrivals[-1][0] < QUIET_SECONDS:
        time.sleep(0.01)
    return terminal.arrivals[-1][0] - terminal.started


def _peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(it for it in status.splitlines() if it.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(lengths: tuple[int, ...]) -> None:
    """Print the medians beside the goals."""
    print(f"{psutil.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        for steps in lengths:
            layout = write_run(Path(folder) / f"run-{steps}", steps)
            layout.config.write_text("model:\n  path: demo\n", encoding="utf-8")
            rounds = [attach(layout, steps) for _ in range(ROUNDS.get(steps, 3))]
            first, complete = (
                median(it.first for it in rounds),
                median(it.complete for it in rounds),
            )
            peak = max(it.peak_bytes for it in rounds)
            goal = GOALS_SECONDS.get(steps)
            print(
                f"{steps:,} steps: name and numbers after {first:.3f} s of {FIRST_GOAL_SECONDS:g}; "
                f"all drawn after {complete:.2f} s" + (f" of {goal:g}" if goal else "") + "; "
                f"peak memory {peak / 1e6:.0f} MB of {MEMORY_GOAL_BYTES / 1e6:.0f}"
            )
            grown = growth_bytes(layout, steps)
            print(f"{ADDED_STEPS:,} more steps: {grown / 1e6:+.1f} MB")


if __name__ == "__main__":
    main(tuple(int(it) for it in sys.argv[1:]) or LENGTHS)
