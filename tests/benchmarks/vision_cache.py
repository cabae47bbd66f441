"""Compare steps with the vision cache with steps without it: in a first epoch and in later ones.

python -m tests.benchmarks.vision_cache [--samples 16] [--epochs 4]

Both train the same 138 M Qwen3-VL (real vocabulary, LoRA on the language model, frozen tower, fp32,
CPU) on the same pictures of 512 x 512 pixels in batches of 2 x 2, with a data worker each; their
steps alternate in one process, and each waits for its own data. Printed: medians of the seconds a
step takes, by the clock and of the processor (where others run beside, the second tell more),
their ratios, and the largest difference of the losses. The last line is what keeping features gains
after the first epoch of the same run.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from statistics import median
from typing import NamedTuple

from trainer.config.load import dump_config, load_config
from trainer.data.batch import Window
from trainer.demo.shapes import write_shapes
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.model.trainability import TrainabilityProof
from trainer.run.append import EventWriter
from trainer.run.codec import decode
from trainer.run.events import Notice, Step
from trainer.run.layout import RunLayout
from trainer.train.loop import with_waiting_time
from trainer.train.prepare import prepare
from trainer.train.progress import Progress
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths, Setup
from trainer.train.step import take_step

SAMPLES_PER_STEP = 4


class Taken(NamedTuple):
    """One optimizer step."""

    seconds: float  # by the clock, waiting for data included
    cpu_seconds: float  # of this process, so without the data workers


@dataclass
class Contender:
    """A run that is taken a step further whenever it is its turn."""

    setup: Setup
    progress: Progress
    windows: Iterator[tuple[Window, float]]
    proof: TrainabilityProof

    def step(self) -> Taken:
        """Return what the next step takes."""
        started, cpu = time.perf_counter(), time.process_time()
        window, data_seconds = next(self.windows)
        take_step(self.setup, self.progress, window, data_seconds, self.proof)
        return Taken(time.perf_counter() - started, time.process_time() - cpu)

    def losses(self) -> list[float]:
        """Return the loss of every step so far."""
        events = map(decode, self.setup.run.layout.events.read_bytes().splitlines())
        return [it.loss for it in events if isinstance(it, Step) and it.loss is not None]

    def told(self) -> list[str]:
        """Return what the cache said."""
        events = map(decode, self.setup.run.layout.events.read_bytes().splitlines())
        return [
            it.message for it in events if isinstance(it, Notice) and it.topic == "vision_cache"
        ]


def contender(folder: Path, where: str, checkpoint: Path, train: Path) -> Contender:
    """Return a run with the vision cache somewhere, ready for its first step."""
    config = load_config(
        "balanced",
        [
            f"model.path={checkpoint}",
            "model.dtype=fp32",
            "model.quantization=none",
            f"model.vision_cache={where}",
            "data.min_pixels=262144",
            "data.max_pixels=262144",
            f"data.train={train}",
            f"data.cache_dir={folder / 'cache'}",
            "data.workers=1",
            "batch.size=2",
            "batch.accumulation=2",
            "optimizer.name=adamw",
            "tune.dropout=0",
            "training.max_steps=1000",
        ],
    )
    layout = RunLayout(folder / where)
    layout.root.mkdir()
    layout.config.write_text(dump_config(config))
    run, requests = RunPaths(layout, attempt=1, supervisor_pid=0), Requests(layout, 1, 0)
    setup, progress = prepare(run, config, Recorder(EventWriter(layout.events, 1)), requests)
    windows = with_waiting_time(setup.windows(0))
    return Contender(setup, progress, windows, TrainabilityProof(setup.model))


def measure(folder: Path, samples: int, epochs: int, places: tuple[str, ...]) -> None:
    """Alternate the steps and print what they took."""
    checkpoint = build_benchmark_checkpoint(folder / "model")
    train, _validation = write_shapes(folder / "data", train=samples, validation=1, seed=0)
    with ExitStack() as stack:
        runs = {place: contender(folder, place, checkpoint, train) for place in ("off", *places)}
        for run in runs.values():
            stack.enter_context(run.setup.pool)
        taken: dict[str, list[Taken]] = {place: [] for place in runs}
        for _ in range(samples // SAMPLES_PER_STEP * epochs):
            for place, run in runs.items():
                taken[place].append(run.step())
            print({place: steps[-1] for place, steps in taken.items()}, flush=True)
        report(runs, taken, samples // SAMPLES_PER_STEP)


def report(runs: dict[str, Contender], taken: dict[str, list[Taken]], epoch: int) -> None:
    """Print medians and ratios; of the first epoch without its first step."""
    spans = {"first epoch": slice(1, epoch), "later epochs": slice(epoch, None)}
    for place, run in runs.items():
        for name, span in spans.items():
            row: dict[str, str | float] = {"cache": place, "of": name}
            for clock in Taken._fields:
                own, off = (column(taken[it][span], clock) for it in (place, "off"))
                row[clock] = round(median(own), 3)
                row[f"{clock}: off / {place}"] = round(median(map(truediv, off, own)), 2)
            print(json.dumps(row))
        apart = max(abs(a - b) for a, b in zip(runs["off"].losses(), run.losses(), strict=True))
        print(json.dumps({"cache": place, "largest difference of losses": apart}))
        for message in run.told():
            print(f"  {message}")
    for place in runs:
        first, later = (column(taken[place][span], "cpu_seconds") for span in spans.values())
        print(f"{place}: first epoch / later epochs {median(first) / median(later):.2f} cpu")


def column(steps: Sequence[Taken], clock: str) -> list[float]:
    """Return one of the fields of steps."""
    return [getattr(step, clock) for step in steps]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--caches", nargs="+", default=["memory", "disk"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.samples, arguments.epochs, tuple(arguments.caches))


if __name__ == "__main__":
    main()
