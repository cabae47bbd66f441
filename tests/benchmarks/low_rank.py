"""Compare LoRA layers run as one function with PEFT's own, in time, memory and launched operations.

python -m tests.benchmarks.low_rank [--rounds 5] [--tokens 300]

Both run forward and backward of the language model's layers of the 138 M model, LoRA of rank 16 on
all its linear layers, two samples at once; the ways alternate within one process and
are timed in processor seconds, so other programs matter less. Memory is what the
forward leaves behind for the backward. Operations are counted for one layer's forward and
backward; those that only look at a tensor otherwise are left out. Printed for each precision and
dropout, with the median of the ratios PEFT / one function.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainer.config.schema import DataConfig, ModelConfig, RunConfig, TuneConfig
from trainer.demo.model_shapes import SHAPES
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.model.body import base_of
from trainer.model.load import load_trainable
from trainer.model.low_rank import run_lora_as_one_function

SAMPLES = 2
VIEWS = {"view", "t", "transpose", "_unsafe_view", "expand", "detach", "alias", "empty"}


class Counted(TorchDispatchMode):
    """Counts operations that compute something."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one and run it."""
        self.operations += func.overloadpacket.__name__ not in VIEWS
        return func(*args, **(kwargs or {}))


class Kept:
    """Adds up what a forward keeps for its backward, every storage once, parameters left out."""

    def __init__(self, model: nn.Module) -> None:
        self._seen = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
        self.held_bytes = 0

    def __call__(self, tensor: Tensor) -> Tensor:
        """Note a tensor that is kept."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.held_bytes += storage.nbytes()
        return tensor


def as_in_peft(model: nn.Module) -> None:
    """Let LoRA layers run as PEFT wrote them."""
    for module in model.modules():
        if isinstance(module, LoraLayer):
            vars(module).pop("forward", None)


WAYS: dict[str, Callable[[nn.Module], None]] = {
    "PEFT": as_in_peft,
    "one function": run_lora_as_one_function,
}


def forward(model: nn.Module, hidden: Tensor) -> Tensor:
    """Return a scalar made of the last hidden states."""
    with torch.autocast("cpu", torch.bfloat16, enabled=hidden.dtype == torch.bfloat16):
        layers = base_of(model).model.language_model
        return layers(inputs_embeds=hidden, use_cache=False).last_hidden_state.float().sum()


def seconds(model: nn.Module, way: str, hidden: Tensor) -> float:
    """Return the processor seconds that forward and backward take."""
    WAYS[way](model)
    torch.manual_seed(0)
    started = time.process_time()
    forward(model, hidden).backward()
    taken = time.process_time() - started
    model.zero_grad(set_to_none=True)
    return taken


def kept_bytes(model: nn.Module, way: str, hidden: Tensor) -> int:
    """Return what the forward keeps."""
    WAYS[way](model)
    kept = Kept(model)
    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        forward(model, hidden)
    return kept.held_bytes


def operations(model: nn.Module, way: str) -> int:
    """Return the operations of one layer's forward and backward."""
    WAYS[way](model)
    layer: Any = next(module for module in model.modules() if isinstance(module, LoraLayer))
    weight = layer.base_layer.weight
    x = torch.randn(1, 4, weight.shape[1], dtype=weight.dtype, requires_grad=True)
    with Counted() as counted:
        with torch.autocast("cpu", torch.bfloat16, enabled=weight.dtype == torch.bfloat16):
            result = layer(x)
        result.backward(result)
    model.zero_grad(set_to_none=True)
    return counted.operations


def load(checkpoint: Path, dtype: str, dropout: float) -> nn.Module:
    """Return the model with LoRA on its language part."""
    config = RunConfig(
        model=ModelConfig(path=str(checkpoint), dtype=dtype, quantization="none"),  # pyright: ignore
        data=DataConfig(train=("train.jsonl",)),
        tune=TuneConfig(dropout=dropout),
    )
    return load_trainable(config, torch.device("cpu"), lambda _: None)


def report(checkpoint: Path, dtype: str, dropout: float, tokens: int, rounds: int) -> None:
    """Measure and print one case."""
    model = load(checkpoint, dtype, dropout)
    hidden = torch.randn(SAMPLES, tokens, SHAPES["138m"].hidden).to(model.config.dtype)  # pyright: ignore
    hidden.requires_grad_()
    for way in WAYS:
        seconds(model, way, hidden)
    timed = [{way: seconds(model, way, hidden) for way in WAYS} for _ in range(rounds)]
    ratio = median(one["PEFT"] / one["one function"] for one in timed)
    lines = [
        f"{way} {median(one[way] for one in timed):.3f} s, "
        f"{kept_bytes(model, way, hidden) / 1e6:,.0f} MB, {operations(model, way)} operations"
        for way in WAYS
    ]
    print(f"{dtype}, dropout {dropout:g}: {'; '.join(lines)}; ratio {ratio:.3f}", flush=True)


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = build_benchmark_checkpoint(Path(folder))
        for dtype in ("fp32", "bf16"):
            for dropout in (0.0, 0.05):
                report(checkpoint, dtype, dropout, arguments.tokens, arguments.rounds)


if __name__ == "__main__":
    main()
