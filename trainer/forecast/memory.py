"""Estimate the memory that training takes, part by part.

The formula, in bytes; b is 2 for bf16 and 4 for fp32:

- weights: b a value; the language model's linear layers take 4.127 / 8 in nf4 and 1 in int8; a
  checkpoint that is stored quantised takes what its files take; what is trained in full is held in
  fp32, beside LoRA also its untouched original.
- training: for LoRA rank x (in + out) values a layer, each with fp32 weight, fp32 gradient and the
  optimizer's moments (8 bytes, in 8 bits 2); for what is trained in full gradient and moments.
- activations: of every layer that gradients pass through, for every token of the largest
  micro-batch, what its backward cannot make again: in the language model 2 hidden + 4.5 attention
  + 2 MLP values, of a mixture of experts 3 MLP values and a hidden one an expert; in a tower 8
  hidden + 1 MLP values; for LoRA's dropout one byte a value that its layers are given. Trained in
  full, 4 hidden + 2.6 attention + 3.6 MLP values, in a tower half of the last. Eager attention
  keeps 2 probabilities a head and pair of tokens. With activation checkpointing the input of every
  layer that is computed again, and one, with 3 MLP values of its gradients (in a tower 2), as far
  as it is larger than the head, which is gone by then.
  A frozen vision tower keeps nothing. Layers trained in full in bf16 keep a copy of their weights.
- head: 12 bytes (8 in fp32) a logit of a chunk, which are those of the tokens with a label or
  2^25, whichever is less, and for a frozen head on a CPU those of 1,024 words; a head that is
  trained also a gradient in fp32 and, in bf16, a copy.
  Activations and head are within 10 % of what the CPU takes for a 138 M model, see
  tests/benchmarks/memory_forecast.py.
- overhead: 1 GiB for CUDA, cuBLAS and what the allocator cannot use.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from trainer.config.model import LANGUAGE_TARGETS
from trainer.config.schema import RunConfig
from trainer.forecast.checkpoint import Checkpoint, Tensor
from trainer.model.chunk import CHUNK_LOGITS, words_at_once

NF4_BYTES = 4.127 / 8  # 4 bits, and 0.127 for the doubly quantised scales of blocks of 64
INT8_BYTES = 1.0
FP32_BYTES = 4
LOGIT_BYTES = 12  # of the work on each in bf16, 4 less in fp32
CONTEXT_BYTES = 2**30  # CUDA, cuBLAS and what the allocator cannot use
MOMENT_BYTES = {"8bit": 2, "32bit": 8}
VALUE_BYTES = {"bf16": 2, "fp32": 4}


@dataclass(frozen=True, kw_only=True)
class Load:
    """The largest micro-batch that memory has to hold."""

    tokens: int
    target_tokens: int  # those with a label
    patches: int


def largest_micro_batch(config: RunConfig, largest: Load) -> Load:
    """Return the most a micro-batch holds; `largest` is the most that any of its samples does.

    Packed or grouped, that is all samples of a step, as far as the limits allow.
    """
    if config.batch.packing == "none":
        size = config.batch.size
        return Load(
            tokens=largest.tokens * size,
            target_tokens=largest.target_tokens * size,
            patches=largest.patches * size,
        )
    samples = config.samples_per_step
    tokens = max(largest.tokens, min(config.micro_batch_tokens, largest.tokens * samples))
    limit = config.batch.patches or round(largest.patches * tokens / max(1, largest.tokens))
    return Load(
        tokens=tokens,
        target_tokens=min(tokens, largest.target_tokens * samples),
        patches=max(largest.patches, min(limit, largest.patches * samples)),
    )


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


def estimate_memory(config: RunConfig, checkpoint: Checkpoint, load: Load, *, gpu: bool) -> Memory:
    """Return what training takes on its device, by the formula above."""
    head = _head(config, checkpoint, load, gpu=gpu)
    return Memory(
        weights=round(_weights(config, checkpoint)),
        training=round(_training(config, checkpoint)),
        activations=round(_activations(config, checkpoint, load, head)),
        head=head,
        overhead=CONTEXT_BYTES,
    )


def _head(config: RunConfig, checkpoint: Checkpoint, load: Load, *, gpu: bool) -> int:
    trained = config.tune.language == "full"
    words = checkpoint.vocabulary
    if not trained:
        words = min(words, words_at_once(load.target_tokens, "cuda" if gpu else "cpu"))
    logits = min(load.target_tokens * words, CHUNK_LOGITS)
    in_fp32 = config.model.dtype == "fp32"
    work = logits * (LOGIT_BYTES - 4 * in_fp32)
    if not trained:
        return work
    copy_bytes = 0 if in_fp32 else VALUE_BYTES["bf16"]
    return work + checkpoint.vocabulary * checkpoint.hidden * (FP32_BYTES + copy_bytes)


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


def _activations(config: RunConfig, checkpoint: Checkpoint, load: Load, head: int) -> float:
    value_bytes = VALUE_BYTES[config.model.dtype]
    language = load.tokens * _language_bytes(config, checkpoint)
    if config.model.attention == "eager":
        language += 2 * checkpoint.heads * load.tokens**2 * value_bytes
    inputs = load.tokens * checkpoint.hidden * value_bytes
    again = config.model.recomputed_layers("language", checkpoint.layers)
    work = 3 * load.tokens * checkpoint.mlp * value_bytes
    kept = _kept(checkpoint.layers, language, inputs, again, head - work)
    kept += _copies(config, checkpoint)
    if config.tune.vision != "frozen":
        tower = load.patches * _tower_bytes(config, checkpoint)
        inputs = load.patches * checkpoint.vision_hidden * value_bytes
        again = config.model.recomputed_layers("vision", checkpoint.vision_layers)
        work = 2 * load.patches * checkpoint.vision_mlp * value_bytes
        kept += _kept(checkpoint.vision_layers, tower, inputs, again, head - work)
    return kept


def _copies(config: RunConfig, checkpoint: Checkpoint) -> int:
    """Return the bytes of the copies in bf16 that layers trained in fp32 compute with."""
    if config.model.dtype == "fp32":
        return 0
    layers = (tensor for tensor in checkpoint.tensors if tensor.layer)
    full = (tensor for tensor in layers if getattr(config.tune, tensor.part) == "full")
    return sum(tensor.elements for tensor in full) * VALUE_BYTES[config.model.dtype]


def _language_bytes(config: RunConfig, checkpoint: Checkpoint) -> float:
    """Return what a layer of the language model keeps of a token for the backward pass."""
    hidden, attention, mlp = checkpoint.hidden, checkpoint.attention, checkpoint.mlp
    value_bytes, mode = VALUE_BYTES[config.model.dtype], config.tune.language
    if mode == "full":
        return (4 * hidden + 2.6 * attention + 3.6 * mlp) * value_bytes
    experts = checkpoint.experts
    behind_gates = 3 * mlp + experts * hidden if experts else 2 * mlp
    drops = mode == "lora" and config.tune.dropout
    masks = 5 * hidden + attention + (0 if experts else mlp) if drops else 0
    return (2 * hidden + 4.5 * attention + behind_gates) * value_bytes + masks


def _tower_bytes(config: RunConfig, checkpoint: Checkpoint) -> float:
    """Return what a layer of the vision tower keeps of a patch for the backward pass."""
    hidden, mlp = checkpoint.vision_hidden, checkpoint.vision_mlp
    value_bytes, mode = VALUE_BYTES[config.model.dtype], config.tune.vision
    if mode == "full":
        return (6.6 * hidden + 1.8 * mlp) * value_bytes
    return (8 * hidden + mlp) * value_bytes + (3 * hidden + mlp if config.tune.dropout else 0)


def _kept(layers: int, layer: float, inputs: float, again: range, room: int) -> float:
    """Return how many bytes of a tower's layers stay until the backward pass.

    Args:
        layers: How many there are.
        layer: What each keeps.
        inputs: What is kept of each that is computed again.
        again: Those that are computed again.
        room: What the head takes meanwhile, less what the work on a layer takes.

    """
    kept = len(again) * inputs + (layers - len(again)) * layer
    last_again = layers - 1 in again  # else a later one makes room for it in the backward
    return kept + (max(0.0, layer - room) if last_again else 0.0)


def what_to_lower(config: RunConfig, memory: Memory) -> str:
    """Return the option that would save most, for a run that does not fit."""
    model, tune = config.model, config.tune
    on_tokens = memory.activations + memory.head > memory.weights + memory.training
    packs = config.batch.packing != "none"
    if on_tokens and packs and config.micro_batch_tokens > config.data.max_length:
        return f"batch.tokens={config.data.max_length}"
    if on_tokens and not packs and config.batch.size > 1:
        return f"batch.size=1, batch.accumulation={config.samples_per_step}"
    if on_tokens and model.activation_checkpointing != "all":
        return "model.activation_checkpointing=all"
    if on_tokens and model.recompute_every > 1:
        return "model.recompute_every=1"
    if on_tokens:
        return "data.max_pixels or data.max_length"
    if "full" in (tune.vision, tune.aligner, tune.language):
        return "train by lora what is trained in full"
    if model.quantization != "nf4":
        return "model.quantization=nf4"
    return "take a smaller model"
