"""Compare the whole training loop with the bare step on batches that are ready.

python -m tests.benchmarks.loop_efficiency [--rounds 7] [--steps 4]

Both train the same 138 M Qwen3-VL (real vocabulary, LoRA on the language model, fp32, CPU) on the
same windows, in alternating rounds of one process. Printed: seconds per step of each round, and the
median of the rounds' ratios bare / loop. Nothing is saved or evaluated.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from trainer.config.load import dump_config, load_config
from trainer.data.batch import Window
from trainer.demo.shapes import write_shapes
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.model.trainability import TrainabilityProof
from trainer.objectives.supervised import supervised_terms
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout
from trainer.train.loop import checkpoint_is_due, evaluation_is_due, with_waiting_time
from trainer.train.prepare import prepare
from trainer.train.progress import Progress
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths, Setup
from trainer.train.step import take_step


def bare_steps(setup: Setup, windows: list[Window]) -> float:
    """Return the seconds a plain forward, backward and update of these windows takes.

    The frozen tower runs where the inputs are made of a batch, so that is on the clock too.
    """
    weights = [weight for weight in setup.model.parameters() if weight.requires_grad]
    started = time.perf_counter()
    for window in windows:
        for batch in window.batches:
            inputs, labels = setup.forward.inputs(batch)
            terms = supervised_terms(setup.model, inputs, labels)
            (terms.numerator / window.target_tokens).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        setup.optimizer.step()
        setup.optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - started


def loop_steps(
    setup: Setup,
    progress: Progress,
    windows: Iterator[tuple[Window, float]],
    requests: Requests,
    count: int,
) -> tuple[float, list[Window]]:
    """Return the seconds and the windows of `count` turns of the loop, waiting included."""
    proof = TrainabilityProof(setup.model)
    seen: list[Window] = []
    started = time.perf_counter()
    for _ in range(count):
        window, data_seconds = next(windows)
        requests.poll()
        take_step(setup, progress, window, data_seconds, proof)
        requests.poll()
        assert not evaluation_is_due(setup, progress)
        assert not checkpoint_is_due(setup, progress)
        seen.append(window)
    return time.perf_counter() - started, seen


def main() -> None:
    """Run the rounds and print what they took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.rounds, arguments.steps)


def measure(folder: Path, rounds: int, steps: int) -> None:
    """Alternate the two and print the ratio."""
    checkpoint = build_benchmark_checkpoint(folder / "model")
    train, _validation = write_shapes(folder / "data", train=400, validation=4, seed=0)
    config = load_config(
        "balanced",
        [
            f"model.path={checkpoint}",
            "model.dtype=fp32",
            "model.quantization=none",
            "data.min_pixels=65536",
            f"data.train={train}",
            f"data.cache_dir={folder / 'cache'}",
            "batch.size=2",
            "batch.accumulation=2",
            "optimizer.name=adamw",
            "tune.dropout=0",
            "training.max_steps=1000",
            "checkpoint.every_steps=100000",
        ],
    )
    layout = RunLayout(folder / "run")
    layout.root.mkdir()
    layout.config.write_text(dump_config(config))
    run = RunPaths(layout, attempt=1, supervisor_pid=0)
    requests = Requests(layout, 1, 0)
    setup, progress = prepare(run, config, Recorder(EventWriter(layout.events, 1)), requests)
    with setup.pool:
        windows = with_waiting_time(setup.windows(0))
        _seconds, first = loop_steps(setup, progress, windows, requests, 1)
        bare_steps(setup, first)
        ratios: list[float] = []
        for _ in range(rounds):
            loop, seen = loop_steps(setup, progress, windows, requests, steps)
            bare = bare_steps(setup, seen)
            ratios.append(bare / loop)
            row = {"loop": loop / steps, "bare": bare / steps, "ratio": ratios[-1]}
            print(json.dumps({name: round(value, 4) for name, value in row.items()}))
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
