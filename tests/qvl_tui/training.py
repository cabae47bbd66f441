"""A real training of the tiny model, small enough for tests of the whole program."""

import sys
import time
from pathlib import Path

from trainer.run.layout import RunLayout
from trainer.run.liveness import quick_state, run_status

QVL = str(Path(sys.executable).with_name("qvl"))
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def write_configuration(path: Path, model: Path, data: tuple[Path, Path], steps: int) -> Path:
    """Write the configuration of a training on the CPU that lasts `steps` optimizer steps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"# a short training of a tiny model\n"
        f"model: {{path: {model}, dtype: fp32, quantization: none, device: cpu}}\n"
        f"data: {{train: {data[0]}, validation: {data[1]}, max_length: 512, workers: 0}}\n"
        "tune: {language: full}\n"
        "optimizer: {name: adamw, learning_rate: 0.001}\n"
        "batch: {size: 2, accumulation: 1}\n"
        f"training: {{epochs: 1, max_steps: {steps}, threads: 1}}\n"
        "evaluation: {every_steps: 50, generated_samples: 1}\n"
        "checkpoint: {every_steps: 50}\n"
    )
    return path


def wait_for_step(layout: RunLayout, step: int, seconds: float = 120.0) -> int:
    """Return the step of a run once it is at least `step`."""
    deadline = time.monotonic() + seconds
    while (now := quick_state(layout).step) < step:
        if time.monotonic() > deadline:
            raise AssertionError(f"step {now} after {seconds} s: {run_status(layout)}")
        time.sleep(0.1)
    return now


def wait_for_state(layout: RunLayout, state: str, seconds: float = 120.0) -> None:
    """Return once a run is in a state."""
    deadline = time.monotonic() + seconds
    while (status := run_status(layout)).state != state:
        if time.monotonic() > deadline:
            raise AssertionError(f"not {state} after {seconds} s: {status}")
        time.sleep(0.1)
