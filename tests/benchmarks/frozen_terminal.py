"""Measure whether a terminal that nobody reads slows the run down.

Run it as `python -m tests.benchmarks.frozen_terminal [seconds]`. A real training of the tiny model
is watched; its steps of one stretch with the terminal read are compared with those of a stretch in
which it is not, and then the screen has to show the newest step again.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from trainer.run.layout import RunLayout
from trainer.run.liveness import load_state

OPTIONS = (
    "model.dtype=fp32",
    "model.quantization=none",
    "tune.language=full",
    "optimizer.name=adamw",
    "training.epochs=100000",
    "training.threads=1",
    "data.workers=0",
    "batch.accumulation=1",
)
QVL = str(Path(sys.executable).with_name("qvl"))


def start(folder: Path) -> RunLayout:
    """Start a training that lasts as long as it takes."""
    from trainer.demo.shapes import write_shapes
    from trainer.demo.tiny import build_tiny_checkpoint

    model = build_tiny_checkpoint(folder / "model")
    train, _ = write_shapes(folder / "data", train=256, validation=8, seed=1)
    source = folder / "frozen.yaml"
    source.write_text(f"model:\n  path: {model}\ndata:\n  train: {train}\n")
    command = [QVL, "train", str(source), *OPTIONS, "--detach", "--runs-dir", str(folder / "runs")]
    subprocess.run(command, check=True)
    layout = RunLayout(folder / "runs" / "frozen")
    while load_state(layout).step < 20:
        time.sleep(0.5)
    return layout


def median_step_seconds(layout: RunLayout, begin: float, end: float) -> tuple[float, int]:
    """Return the median duration of the steps between two Unix times, and how many there were."""
    steps = load_state(layout).steps
    durations = [
        seconds
        for moment, seconds in zip(steps["time"], steps["seconds"], strict=True)
        if begin <= moment < end
    ]
    return median(durations), len(durations)


def main() -> None:
    """Print both medians, their ratio, and how soon the screen recovered."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as name:
        layout = start(Path(name))
        try:
            compare(layout, seconds)
        finally:
            command = [
                QVL,
                "stop",
                str(layout.root),
                "--wait",
                "--runs-dir",
                str(layout.root.parent),
            ]
            subprocess.run(command, check=True)


def compare(layout: RunLayout, seconds: float) -> None:
    """Watch the run, freeze the terminal, thaw it."""
    environment = {"QVL_RUNS": str(layout.root.parent)}
    with PseudoTerminal([QVL, "watch", layout.name], environment=environment) as terminal:
        terminal.wait_for("gradient norm")
        time.sleep(5)
        read_from = time.time()
        time.sleep(seconds)
        terminal.frozen = True
        frozen_from = time.time()
        time.sleep(seconds)
        before, after = (read_from, frozen_from), (frozen_from, time.time())
        shown = f"{load_state(layout).step:,}/"
        thawed = time.monotonic()
        terminal.frozen = False
        wait_for_a_later_step(terminal, layout)
        recovered = time.monotonic() - thawed
    read, frozen = median_step_seconds(layout, *before), median_step_seconds(layout, *after)
    print(f"terminal read:   median step {read[0] * 1e3:.2f} ms over {read[1]} steps")
    print(f"terminal frozen: median step {frozen[0] * 1e3:.2f} ms over {frozen[1]} steps")
    print(f"ratio {frozen[0] / read[0]:.3f}; the screen was right {recovered:.1f} s after {shown}")


def wait_for_a_later_step(terminal: PseudoTerminal, layout: RunLayout) -> None:
    """Return once a step is on the terminal that was made after the thaw."""
    first = load_state(layout).step
    deadline = time.monotonic() + 60
    columns = 120
    while time.monotonic() < deadline:
        columns ^= 1
        terminal.resize(columns, 40)  # else only the digits that changed are written
        time.sleep(0.3)
        newest = load_state(layout).step
        tail = bytes(terminal.output[-100_000:]).decode(errors="replace")
        if any(f"{step:,}/" in tail for step in range(first, newest + 1)):
            return
    raise AssertionError("the screen did not recover within 60 s")


if __name__ == "__main__":
    main()
