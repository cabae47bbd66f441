"""Compare layers as they compute here with those that transformers and PEFT wrote.

python -m tests.benchmarks.layers [--tokens 330] [--labels 57] [--rounds 9] [--dropout 0.05]

The language part of the 138 M model with LoRA, two samples of text, one thread: forward, head and
backward, alternating within one process. Printed: processor time of each, the median of the
ratios, and the most memory that torch had taken in either.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.last_layer import SAMPLES, model_of, seconds_of
from tests.benchmarks.memory_forecast import MEGABYTE, peak_bytes


@contextmanager
def as_written(model: nn.Module) -> Iterator[None]:
    """Let LoRA layers, norms and gated MLPs compute as they were written inside the block."""
    ours = [
        (module, vars(module).pop("forward"))
        for module in model.modules()
        if "forward" in vars(module)
    ]
    try:
        yield
    finally:
        for module, forward in ours:
            module.forward = forward


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=330)
    parser.add_argument("--labels", type=int, default=57)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dropout", type=float, default=0.05)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = model_of(Path(folder), dropout=arguments.dropout)
    token_ids = torch.randint(1000, (SAMPLES, arguments.tokens))

    def seconds() -> float:
        return seconds_of(model, token_ids, arguments.labels, spared=True)

    def megabytes() -> float:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as work:
            seconds()
        return peak_bytes(work) / MEGABYTE

    pairs: list[tuple[float, float]] = []
    for _ in range(arguments.rounds + 1):
        with as_written(model):
            written = seconds()
        pairs.append((written, seconds()))
    with as_written(model):
        most_written = megabytes()
    most = megabytes()
    written, ours = (median(column) for column in zip(*pairs[1:], strict=True))
    ratio = median(a / b for a, b in pairs[1:])
    print(f"as written {written:.3f} s, ours {ours:.3f} s, ratio {ratio:.3f}")
    print(f"memory: as written {most_written:.0f} MB, ours {most:.0f} MB")


if __name__ == "__main__":
    main()
