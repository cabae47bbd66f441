"""Measure what the Run screen costs while a run writes ten events a second.

Run it as `python -m tests.benchmarks.screen_traffic [seconds]`. It prints the bytes a second that
reach the terminal at 120x40 with charts, and the share of one core that the screen takes.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import Recipe, live, record_run, step_event
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout

EVENTS_PER_SECOND = 10
FIRST_STEPS = 400
SETTLE_SECONDS = 5.0


def write_steps(layout: RunLayout, over: threading.Event) -> None:
    """Write ten steps a second until it is over."""
    recipe = Recipe(steps=1_000_000, total=20_000)
    step = FIRST_STEPS
    with EventWriter(layout.events, 1) as writer:
        due = time.monotonic()
        while not over.is_set():
            step += 1
            writer.write(step_event(step, recipe))
            due += 1 / EVENTS_PER_SECOND
            time.sleep(max(due - time.monotonic(), 0))


def measure(layout: RunLayout, seconds: float) -> tuple[float, float]:
    """Return bytes a second and the share of a core, over `seconds`."""
    qvl = str(Path(sys.executable).with_name("qvl"))
    environment = {"QVL_RUNS": str(layout.root.parent)}
    with PseudoTerminal([qvl, "watch", layout.name], environment=environment) as terminal:
        terminal.wait_for("gradient norm")
        time.sleep(SETTLE_SECONDS)
        process = psutil.Process(terminal.process.pid)
        before, begin = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, end = process.cpu_times(), time.monotonic()
        used = after.user + after.system - before.user - before.system
        return terminal.bytes_between(begin, end) / (end - begin), used / (end - begin)


def main() -> None:
    """Print the two figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    over = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        layout = record_run(Path(folder), "busy", steps=FIRST_STEPS, total=20_000)
        writer = threading.Thread(target=write_steps, args=(layout, over))
        with live(layout):
            writer.start()
            try:
                rate, share = measure(layout, seconds)
            finally:
                over.set()
                writer.join()
    print(f"{EVENTS_PER_SECOND} events a second over {seconds:.0f} s, 120x40:")
    print(f"{rate / 1000:.2f} KB/s to the terminal, {share:.1%} of one core")


if __name__ == "__main__":
    main()
