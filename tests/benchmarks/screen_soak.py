"""Watch a run of a million steps for an hour while it goes on, and what memory does meanwhile.

Run it as `python -m tests.benchmarks.screen_soak [seconds]`. Ten steps a second come in, and every
few seconds a key shows another pane or changes the charts. It prints the screen's memory each
minute, and at the end by how much it grew.
"""

import itertools
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from tests.benchmarks.attach_screen import MEMORY_GOAL_BYTES, TIMEOUT_SECONDS, watching
from tests.benchmarks.attach_speed import step_event, write_run
from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import live
from trainer.run.codec import encode
from trainer.run.layout import RunLayout

STEPS = 1_000_000
STEPS_A_SECOND = 10
KEYS = (*"12345678", "1", "x", "x", "+", "-", "?", "\x1b", "1")
KEY_SECONDS = 3.0
SETTLE_SECONDS = 60.0  # in which every pane is shown once
SAMPLE_SECONDS = 60.0


def soak(layout: RunLayout, seconds: float) -> tuple[list[int], int]:
    """Return the screen's memory in bytes each minute once it settled, and the steps added."""
    with watching(layout) as terminal:
        terminal.wait_for(f"{STEPS:,}/", TIMEOUT_SECONDS)
        screen = psutil.Process(terminal.process.pid)
        keys = itertools.cycle(KEYS)
        begin = time.monotonic()
        memory: list[int] = []
        step, next_key, next_sample = STEPS, begin, begin + SETTLE_SECONDS
        while (now := time.monotonic()) < begin + SETTLE_SECONDS + seconds:
            step += 1
            with layout.events.open("ab") as file:
                file.write(encode(replace(step_event(step), time=time.time())))
            if now >= next_key:
                terminal.send(next(keys))
                next_key = now + KEY_SECONDS
            if now >= next_sample:
                memory.append(screen.memory_info().rss)
                print(f"{(now - begin) / 60:5.1f} min: {memory[-1] / 1e6:.0f} MB", flush=True)
                next_sample = now + SAMPLE_SECONDS
            time.sleep(max(begin + (step - STEPS) / STEPS_A_SECOND - time.monotonic(), 0))
        _leave(terminal)
        return memory, step - STEPS


def _leave(terminal: PseudoTerminal) -> None:
    """Make sure that the screen still answers to its keys."""
    terminal.send("\x1b")
    time.sleep(1)
    terminal.send("q")
    assert terminal.process.wait(TIMEOUT_SECONDS) == 0


def main() -> None:
    """Print the memory and by how much it grew."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3600.0
    with tempfile.TemporaryDirectory() as folder:
        layout = write_run(Path(folder) / "long", STEPS)
        layout.config.write_text("model:\n  path: demo\n", encoding="utf-8")
        with live(layout):
            memory, added = soak(layout, seconds)
    half = len(memory) // 2
    print(
        f"{STEPS:,} steps and {added:,} more over {seconds:.0f} s: "
        f"at most {max(memory) / 1e6:.0f} MB of {MEMORY_GOAL_BYTES / 1e6:.0f}; "
        f"{(memory[-1] - memory[0]) / 1e6:+.1f} MB since it settled, "
        f"{(memory[-1] - memory[half]) / 1e6:+.1f} MB in the second half"
    )


if __name__ == "__main__":
    main()
