"""The memory that the suggested models want, by the formula that a run is forecast with."""

from dataclasses import asdict, dataclass
from functools import cache

from trainer.config.schema import RunConfig
from trainer.config.suggestions import SuggestedModel
from trainer.forecast.checkpoint import shapes_of
from trainer.forecast.memory import Load, estimate_memory

LENGTH_TOKENS = 2048
LOW_LENGTH_TOKENS = 1024  # of the low-memory preset
LABEL_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Memory of one sample in a micro-batch, in bytes."""

    qlora_memory_bytes: int  # LoRA on the NF4 model, 2,048 tokens: the preset `balanced`
    low_memory_bytes: int  # NF4, 1,024 tokens, activation checkpointing: `low-memory`
    lora_memory_bytes: int | None  # LoRA on the bf16 model; None: it has quantised weights only


@cache
def memory_wanted(model: SuggestedModel) -> Wanted:
    """Return what training a model with the presets is forecast to take."""
    plain = None if model.already_quantized else _total(model, LENGTH_TOKENS, quantization="none")
    return Wanted(
        qlora_memory_bytes=_total(model, LENGTH_TOKENS, quantization="nf4"),
        low_memory_bytes=_total(
            model, LOW_LENGTH_TOKENS, quantization="nf4", activation_checkpointing="all"
        ),
        lora_memory_bytes=plain,
    )


def _total(model: SuggestedModel, tokens: int, **options: object) -> int:
    values = {"model": {"path": model.path, **options}, "data": {"train": ["any"]}}
    config = RunConfig.model_validate(values)
    load = Load(tokens=tokens, target_tokens=LABEL_TOKENS, patches=0)
    return estimate_memory(config, shapes_of(model), load, gpu=True).total


def as_json(model: SuggestedModel) -> dict[str, object]:
    """Return a model as one JSON object, with its memory."""
    return asdict(model) | asdict(memory_wanted(model))
