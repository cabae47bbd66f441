"""Compare the forecast of a step's time with the steps of real runs on the CPU.

python -m tests.benchmarks.time_forecast [--steps 4]

A 138 M Qwen3-VL with the real vocabulary and the tiny one, trained in fp32 in several ways.
Printed: the forecast, the median of the measured steps without the first, and whether it lies
between. One thread, and its own processor seconds on both sides: other programs do not count.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image

from trainer.config.load import dump_config, load_config
from trainer.config.schema import RunConfig
from trainer.data.pictures import picture_rule
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.demo.tiny import build_tiny_checkpoint
from trainer.forecast.checkpoint import find_checkpoint
from trainer.forecast.duration import CPU, operations_of_a_step, product_rate
from trainer.forecast.records import look_at_records, open_dataset
from trainer.model.trainability import TrainabilityProof
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout
from trainer.train.prepare import prepare
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths
from trainer.train.step import take_step


@dataclass(frozen=True)
class Case:
    """One way to train."""

    name: str
    model: str
    words: int
    pixels: int  # along the edge of the picture; 0: none
    options: tuple[str, ...] = ()


FULL = ("tune.vision=full", "tune.aligner=full", "tune.language=full")
CASES = (
    Case("138 M, LoRA, text", "138m", 200, 0),
    Case("138 M, LoRA, large pictures", "138m", 40, 512),
    Case("138 M, LoRA on everything", "138m", 40, 512, ("tune.vision=lora", "tune.aligner=lora")),
    Case("138 M, in full", "138m", 100, 256, FULL),
    Case("138 M, checkpointing", "138m", 200, 256, ("model.activation_checkpointing=true",)),
    Case("tiny, LoRA", "tiny", 10, 96),
    Case("tiny, LoRA, batch 8", "tiny", 10, 96, ("batch.size=8",)),
)


def write_records(case: Case, folder: Path) -> Path:
    """Write 64 records and their pictures."""
    lines: list[str] = []
    for number in range(64):
        content = [{"type": "text", "text": f"circle {number} " * (case.words // 2)}]
        if case.pixels:
            name = f"{number}.png"
            Image.effect_noise((case.pixels, case.pixels), 50).convert("RGB").save(folder / name)
            content.insert(0, {"type": "image", "image": name})
        record = {"messages": [{"role": "user", "content": content}], "response": "square " * 20}
        lines.append(json.dumps(record))
    path = folder / "train.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def configuration(case: Case, checkpoint: Path, folder: Path) -> RunConfig:
    """Return what is trained."""
    fixed = (
        *(f"model.path={checkpoint}", f"data.train={write_records(case, folder)}"),
        *("model.dtype=fp32", "model.quantization=none", "model.device=cpu", "batch.size=2"),
        *("batch.accumulation=1", f"data.cache_dir={folder / 'cache'}", "optimizer.name=adamw"),
        *("training.max_steps=1000", "checkpoint.every_steps=100000", "data.workers=0"),
    )
    return load_config("balanced", [*fixed, *case.options])


def compare(case: Case, checkpoint: Path, folder: Path, steps: int) -> None:
    """Print forecast and measurement of one way to train."""
    config = configuration(case, checkpoint, folder)
    layout = RunLayout(folder / "run")
    layout.root.mkdir()
    layout.config.write_text(dump_config(config))
    recorder, requests = Recorder(EventWriter(layout.events, 1)), Requests(layout, 1, 0)
    setup, progress = prepare(RunPaths(layout, 1, 0), config, recorder, requests)
    torch.set_num_threads(1)
    proof = TrainabilityProof(setup.model)
    taken: list[float] = []
    rates: list[float] = []
    with setup.pool:
        windows = setup.windows(0)
        for _ in range(steps + 1):
            window = next(windows)
            rates.append(product_rate(time.thread_time))
            started = time.thread_time()
            take_step(setup, progress, window, 0.0, proof)
            taken.append(time.thread_time() - started)
    tell(case, config, statistics.median(taken[1:]), max(rates))


def tell(case: Case, config: RunConfig, seconds: float, rate: float) -> None:
    """Print whether a step took what is forecast at this rate of products."""
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    train = open_dataset(config.data.train, config.data, None)
    look = look_at_records(train, config.data, picture_rule(Path(config.model.path), config.data))
    per_epoch = -(-len(train) // config.samples_per_step)
    operations = operations_of_a_step(config, shapes, look, per_epoch)
    assert operations is not None
    shortest, longest = CPU.bounds(operations, rate, shapes.layers + shapes.vision_layers)
    verdict = "within" if shortest <= seconds <= longest else "OUTSIDE"
    print(
        f"{case.name}: {operations / 1e9:,.1f} GFLOP a step at {rate / 1e9:.0f} GFLOP/s, forecast "
        f"{shortest:.3g} to {longest:.3g} s, measured {seconds:.3g} s: {verdict} "
        f"({operations / rate / seconds:.0%} of the rate)",
        flush=True,
    )


def main() -> None:
    """Compare all cases, each in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    with tempfile.TemporaryDirectory() as name:
        models = {
            "138m": build_benchmark_checkpoint(Path(name) / "138m"),
            "tiny": build_tiny_checkpoint(Path(name) / "tiny"),
        }
        for number, case in enumerate(CASES):
            folder = Path(name) / str(number)
            folder.mkdir()
            work = get_context("spawn").Process(
                target=compare, args=(case, models[case.model], folder, arguments.steps)
            )
            work.start()
            work.join()


if __name__ == "__main__":
    main()
