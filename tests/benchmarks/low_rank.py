"""Compare LoRA layers that add by products with PEFT's own forward.

python -m tests.benchmarks.low_rank [--tokens 330] [--labels 57] [--rounds 9] [--dropout 0]

The language part of the 138 M model with LoRA, two samples of text, one thread: forward, head and
backward, alternating within one process, in processor time. Printed: seconds of each and the
median of the ratios PEFT's / ours.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from tests.benchmarks.last_layer import SAMPLES, model_of, seconds_of


@contextmanager
def by_peft(model: nn.Module) -> Iterator[None]:
    """Let LoRA layers compute as PEFT wrote them inside the block."""
    ours: list[tuple[Any, Any]] = [
        (layer, vars(layer).pop("forward"))
        for layer in model.modules()
        if isinstance(layer, LoraLayer)
    ]
    try:
        yield
    finally:
        for layer, forward in ours:
            layer.forward = forward


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=330)
    parser.add_argument("--labels", type=int, default=57)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dropout", type=float, default=0.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = model_of(Path(folder), dropout=arguments.dropout)
    token_ids = torch.randint(1000, (SAMPLES, arguments.tokens))
    pairs: list[tuple[float, float]] = []
    for _ in range(arguments.rounds + 1):
        with by_peft(model):
            peft = seconds_of(model, token_ids, arguments.labels, spared=True)
        pairs.append((peft, seconds_of(model, token_ids, arguments.labels, spared=True)))
    peft, ours = (median(column) for column in zip(*pairs[1:], strict=True))
    ratio = median(a / b for a, b in pairs[1:])
    print(f"PEFT's forward {peft:.3f} s, ours {ours:.3f} s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
