"""Compare a last layer that computes only the rows with a label with one that computes all.

python -m tests.benchmarks.last_layer [--tokens 330] [--labels 5 57] [--rounds 5]

The language part of the 138 M model with LoRA, two samples of text, one thread: forward, head and
backward, alternating within one process, in processor time. Printed: seconds of each and the
median of the ratios all rows / rows with a label.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from trainer.config.load import load_config
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.model.body import head_weight, hidden_states
from trainer.model.load import load_trainable
from trainer.objectives.head import head_sums
from trainer.objectives.supervised import IGNORED_LABEL, target_rows

SAMPLES = 2


def model_of(folder: Path, dropout: float = 0.05) -> Any:
    """Return the model with LoRA on its language part."""
    checkpoint = build_benchmark_checkpoint(folder / "model")
    options = ("model.dtype=fp32", "model.quantization=none", "model.device=cpu")
    fixed = (f"model.path={checkpoint}", "data.train=none.jsonl", f"tune.dropout={dropout}")
    config = load_config("balanced", [*fixed, *options], files_must_exist=False)
    return load_trainable(config, torch.device("cpu"), lambda _event: None)


def seconds_of(model: Any, token_ids: torch.Tensor, labels: int, *, spared: bool) -> float:
    """Return the processor time of forward, head and backward."""
    wanted = token_ids.clone()
    wanted[:, :-labels] = IGNORED_LABEL
    rows, tokens = target_rows(wanted)
    inputs = {"input_ids": token_ids, "attention_mask": torch.ones_like(token_ids)}
    started = time.process_time()
    hidden = hidden_states(model, inputs, rows if spared else None).flatten(0, 1)
    head_sums(hidden.index_select(0, rows), head_weight(model), tokens).loss.backward()
    seconds = time.process_time() - started
    model.zero_grad(set_to_none=True)
    return seconds


def main() -> None:
    """Measure answers of every length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=330)
    parser.add_argument("--labels", type=int, nargs="*", default=[5, 57])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = model_of(Path(folder))
    token_ids = torch.randint(1000, (SAMPLES, arguments.tokens))
    for labels in arguments.labels:
        pairs = [
            [seconds_of(model, token_ids, labels, spared=it) for it in (False, True)]
            for _ in range(arguments.rounds + 1)
        ][1:]
        all_rows, spared = (median(column) for column in zip(*pairs, strict=True))
        print(
            f"{labels} of {arguments.tokens} tokens with a label: all rows {all_rows:.3f} s, "
            f"rows with a label {spared:.3f} s, ratio {median(a / b for a, b in pairs):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
