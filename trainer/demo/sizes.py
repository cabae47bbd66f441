"""Write checkpoints to measure with: real vocabulary and shapes, random weights."""

from pathlib import Path

import torch

from trainer.demo.building import (
    chat_template_of,
    configuration,
    random_model,
    save,
    train_tokenizer,
)
from trainer.demo.model_shapes import SHAPES, Size
from trainer.demo.tiny import DEFAULT_CORPUS


def build_benchmark_checkpoint(
    folder: Path,
    size: Size = "138m",
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    seed: int = 0,
) -> Path:
    """The folder, holding a Qwen3-VL of random weights and the real vocabulary.

    2b, 4b and 8b have the shapes of the published checkpoints. 138m is small enough to time on a
    CPU, and like the real models dominated by the tied head. Weights are drawn on `device`.
    """
    tokenizer = train_tokenizer(DEFAULT_CORPUS)
    tokenizer.chat_template = chat_template_of("qwen3_vl", "instruct")
    shape = SHAPES[size]
    config = configuration("qwen3_vl", tokenizer, shape.text(), shape.vision(), tied=shape.tied)
    return save(folder, random_model(config, seed, dtype=dtype, device=device), tokenizer)
