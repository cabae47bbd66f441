"""Which part of the model a weight belongs to, and what is trained in each part."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt, Params4bit
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import nn

from trainer.config.model import PartMode, TuneConfig
from trainer.run.events import Part, PartTuned

PARTS: tuple[Part, ...] = ("vision", "aligner", "language")
TOWER = "model.visual"
LANGUAGE_MODEL = "model.language_model"
HEAD = "lm_head"
ALIGNER_MODULES = ("merger", "deepstack_merger_list")

_PEFT_PREFIX = "base_model.model."
_LORA = re.compile(r"\.lora_[AB]\.")


def part_of(name: str) -> Part:
    """Return the part of a parameter or module, named with or without PEFT's prefix.

    Raises:
        ValueError: The name lies in no part of a Qwen-VL model.

    """
    path = name.removeprefix(_PEFT_PREFIX).split(".")
    if ".".join(path[:2]) == TOWER and len(path) > 2:
        return "aligner" if path[2] in ALIGNER_MODULES else "vision"
    if ".".join(path[:2]) == LANGUAGE_MODEL or path[0] == HEAD:
        return "language"
    raise ValueError(f"{name}: neither in {TOWER}, {LANGUAGE_MODEL} nor {HEAD}")


def is_lora(name: str) -> bool:
    """Whether the parameter is a LoRA factor."""
    return _LORA.search(name) is not None


def used_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Return every named parameter the forward reads.

    Beside a fully trained module PEFT keeps the untouched original; that one is left out.
    """
    for name, parameter in model.named_parameters():
        if ".original_module." not in name:
            yield name, parameter


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters the optimizer moves, by name, in the model's order."""
    return {name: weight for name, weight in used_parameters(model) if weight.requires_grad}


def in_use(module: Any) -> Any:
    """Return the module the forward reads; PEFT keeps the original of a fully trained one."""
    if isinstance(module, AuxiliaryTrainingWrapper):
        return module.modules_to_save[module.active_adapters[0]]  # pyright: ignore
    return module


def quantized_layers(model: nn.Module) -> list[str]:
    """Return the names of all layers stored in 4 or 8 bits."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, Linear4bit | Linear8bitLt)
    ]


def wrongly_quantized_layers(model: nn.Module) -> list[str]:
    """Return those of the vision tower and the head, which lose too much in 4 or 8 bits."""
    return [
        name
        for name in quantized_layers(model)
        if part_of(name) != "language" or HEAD in name.split(".")
    ]


@dataclass
class _Count:
    frozen: int = 0
    lora: int = 0
    full: int = 0
    trainable: int = 0
    elements: int = 0


def count_parts(model: nn.Module, tune: TuneConfig) -> list[PartTuned]:
    """Return what is trained in each part, counted on the model itself.

    Asserts that every part is in the mode `tune` asks for, and that neither the vision tower
    nor the head is quantised.
    """
    counts: dict[Part, _Count] = {part: _Count() for part in PARTS}
    for name, weight in used_parameters(model):
        _add(counts[part_of(name)], name, weight)
    quantized = Counter(part_of(name) for name in quantized_layers(model))
    wrong = wrongly_quantized_layers(model)
    assert not wrong, f"quantised outside the language model: {wrong}"
    return [_part_tuned(part, getattr(tune, part), counts[part], quantized[part]) for part in PARTS]


def _add(count: _Count, name: str, weight: nn.Parameter) -> None:
    count.elements += _elements(weight)
    if weight.requires_grad:
        count.trainable += weight.numel()
    if is_lora(name):
        assert weight.requires_grad, f"{name} is a LoRA factor that does not learn"
        count.lora += 1
    elif weight.requires_grad:
        count.full += 1
    else:
        count.frozen += 1


def _elements(weight: nn.Parameter) -> int:
    """The number of values; a 4-bit tensor packs two in a byte."""
    if isinstance(weight, Params4bit) and weight.quant_state is not None:
        return math.prod(weight.quant_state.shape or ())
    return weight.numel()


def _part_tuned(part: Part, mode: PartMode, count: _Count, quantized: int) -> PartTuned:
    holds = {
        "frozen": count.lora == count.full == 0,
        "lora": count.lora > 0 and count.full == 0,
        "full": count.full > 0 and count.lora == count.frozen == 0,
    }
    assert holds[mode], f"{part} should be {mode}: {count}"
    return PartTuned(
        part=part,
        mode=mode,
        frozen_tensors=count.frozen,
        lora_tensors=count.lora,
        full_tensors=count.full,
        trainable_parameters=count.trainable,
        parameters=count.elements,
        quantized_layers=quantized,
    )
