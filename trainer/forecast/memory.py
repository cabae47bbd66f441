"""Estimate the memory that training takes, part by part.

The formula, in bytes; b is 2 for bf16 and 4 for fp32:

- weights: b a value; the language model's linear layers take 4.127 / 8 in nf4 and 1 in int8; a
  checkpoint that is stored quantised takes what its files take; what is trained in full is held in
  fp32, beside LoRA also its untouched original.
- training: for LoRA rank x (in + out) values a layer, each with fp32 weight, fp32 gradient and the
  optimizer's moments (8 bytes, in 8 bits 2); for what is trained in full gradient and moments.
- activations: of every layer that gradients pass through, for every token of the largest
  micro-batch, 8 hidden + 4 attention + 6 MLP values; eager attention also 2 probabilities a head
  and pair of tokens; with activation checkpointing the input of every layer, and one layer.
  A frozen vision tower keeps nothing.
- head: for every token with a label 10 bytes a word of the vocabulary: logits in bf16, their fp32
  copy and its gradient.
- overhead: 1 GiB for CUDA, cuBLAS and what the allocator cannot use.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from trainer.config.schema import LANGUAGE_TARGETS, RunConfig
from trainer.config.suggestions import CONTEXT_BYTES, LOGIT_BYTES, NF4_BYTES, values_kept
from trainer.forecast.checkpoint import Checkpoint, Tensor

INT8_BYTES = 1.0
FP32_BYTES = 4
MOMENT_BYTES = {"8bit": 2, "32bit": 8}
VALUE_BYTES = {"bf16": 2, "fp32": 4}


@dataclass(frozen=True, kw_only=True)
class Load:
    """The largest micro-batch that memory has to hold."""

    tokens: int
    target_tokens: int  # those with a label
    patches: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """An estimate in bytes, by what takes it."""

    weights: int
    training: int  # LoRA weights, gradients, the optimizer's moments
    activations: int
    head: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(asdict(self).values())


def estimate_memory(config: RunConfig, checkpoint: Checkpoint, load: Load) -> Memory:
    """Return what training takes on its device, by the formula above."""
    return Memory(
        weights=round(_weights(config, checkpoint)),
        training=round(_training(config, checkpoint)),
        activations=round(_activations(config, checkpoint, load)),
        head=load.target_tokens * checkpoint.vocabulary * LOGIT_BYTES,
        overhead=round(CONTEXT_BYTES),
    )


def _weights(config: RunConfig, checkpoint: Checkpoint) -> float:
    if checkpoint.stored_quantized:
        return checkpoint.stored_bytes
    return sum(tensor.elements * _value_bytes(config, tensor) for tensor in checkpoint.tensors)


def _value_bytes(config: RunConfig, tensor: Tensor) -> float:
    plain = VALUE_BYTES[config.model.dtype]
    modes = (config.tune.vision, config.tune.aligner, config.tune.language)
    if getattr(config.tune, tensor.part) == "full":
        return FP32_BYTES + (plain if "lora" in modes else 0)
    if tensor.part != "language" or tensor.layer is None:
        return plain
    return {"nf4": NF4_BYTES, "int8": INT8_BYTES, "none": plain}[config.model.quantization]


def _training(config: RunConfig, checkpoint: Checkpoint) -> float:
    moments = MOMENT_BYTES["8bit" if config.optimizer.name.endswith("8bit") else "32bit"]
    full = sum(
        tensor.elements
        for tensor in checkpoint.tensors
        if getattr(config.tune, tensor.part) == "full"
    )
    lora = config.tune.rank * sum(sum(tensor.shape) for tensor in lora_tensors(config, checkpoint))
    return full * (FP32_BYTES + moments) + lora * (2 * FP32_BYTES + moments)


def lora_tensors(config: RunConfig, checkpoint: Checkpoint) -> Iterator[Tensor]:
    """Yield the weights of the linear layers that get LoRA."""
    for tensor in checkpoint.tensors:
        mode = getattr(config.tune, tensor.part)
        if mode == "lora" and tensor.layer and _is_target(tensor, config.tune.targets):
            yield tensor


def _is_target(tensor: Tensor, targets: tuple[str, ...] | str) -> bool:
    layer = tensor.layer or ""
    if targets == "all-linear" or (isinstance(targets, tuple) and tensor.part != "language"):
        return True
    if isinstance(targets, tuple):
        return layer.endswith(tuple(f".{name}" for name in targets))
    try:
        return re.fullmatch(targets, layer) is not None
    except re.error:  # the trainer refuses it; the usual layers are the best guess
        return layer.endswith(LANGUAGE_TARGETS)


def _activations(config: RunConfig, checkpoint: Checkpoint, load: Load) -> float:
    values = _language_values(config, checkpoint, load)
    if config.tune.vision != "frozen":
        kept = values_kept(checkpoint.vision_hidden, checkpoint.vision_hidden, 0)
        layer = load.patches * (kept + 3 * checkpoint.vision_mlp)
        inputs = load.patches * checkpoint.vision_hidden
        values += _kept(config, checkpoint.vision_layers, layer, inputs)
    return values * VALUE_BYTES[config.model.dtype]


def _language_values(config: RunConfig, checkpoint: Checkpoint, load: Load) -> int:
    layer = load.tokens * values_kept(checkpoint.hidden, checkpoint.attention, checkpoint.mlp)
    if config.model.attention == "eager":
        layer += 2 * checkpoint.heads * load.tokens**2
    return _kept(config, checkpoint.layers, layer, load.tokens * checkpoint.hidden)


def _kept(config: RunConfig, layers: int, layer: int, inputs: int) -> int:
    """Return how many values stay until the backward pass."""
    if config.model.activation_checkpointing:
        return layers * inputs + layer
    return layers * layer


def what_to_lower(config: RunConfig, memory: Memory) -> str:
    """Return the option that would save most, for a run that does not fit."""
    model, tune = config.model, config.tune
    on_tokens = memory.activations + memory.head > memory.weights + memory.training
    if on_tokens and config.batch.size > 1:
        return f"batch.size=1, batch.accumulation={config.samples_per_step}"
    if on_tokens and not model.activation_checkpointing:
        return "model.activation_checkpointing=true"
    if on_tokens:
        return "data.max_pixels or data.max_length"
    if "full" in (tune.vision, tune.aligner, tune.language):
        return "train by lora what is trained in full"
    if model.quantization != "nf4":
        return "model.quantization=nf4"
    return "take a smaller model"
