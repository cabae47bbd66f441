"""Put LoRA on exactly the layers that were asked for."""

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel

from trainer.config.model import LANGUAGE_TARGETS, TuneConfig
from trainer.model.errors import ModelError
from trainer.model.low_rank import spare_passes
from trainer.model.parts import (
    HEAD,
    LANGUAGE_MODEL,
    PARTS,
    TOWER,
    is_lora,
    part_of,
    trainable_parameters,
)
from trainer.run.events import AnyEvent, Notice, Part

ADAPTER_NAME = "default"
_NUMBER_IN_ESCAPED_NAME = re.compile(r"(?<=\\\.)\d+(?=\\\.|$)")


def add_adapter(
    base: PreTrainedModel,
    tune: TuneConfig,
    *,
    base_name: str,
    seed: int,
    notify: Callable[[AnyEvent], None],
) -> PeftModel:
    """Return the base with LoRA layers, and with trainable copies of the parts in `full` mode.

    The LoRA factors follow from `seed` alone; the global random state is left as it was.
    `base_name` is what the adapter remembers as its base.

    Raises:
        ModelError: tune.targets picks no layer of a part, or spells a layer that is not there.

    """
    targets = lora_targets(base, tune, notify)
    config = LoraConfig(
        r=tune.rank,
        lora_alpha=tune.alpha,  # pyright: ignore[reportArgumentType]  # a float works and is kept
        lora_dropout=tune.dropout,
        target_modules=_pattern(targets, [name for name, _ in base.named_modules()]),
        modules_to_save=_fully_trained_modules(base, tune) or None,
        ensure_weight_tying=tune.language == "full" and _head_is_tied(base),
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers by an older name
        model = get_peft_model(base, config, autocast_adapter_dtype=False)  # pyright: ignore[reportArgumentType]
    assert isinstance(model, PeftModel)
    model.peft_config[ADAPTER_NAME].base_model_name_or_path = base_name
    _check_adapted(model, targets)
    _draw_factors(model, seed)
    _spare_conversions(model, tune)
    spare_passes(model, ADAPTER_NAME)
    return model


def lora_targets(
    base: PreTrainedModel, tune: TuneConfig, notify: Callable[[AnyEvent], None]
) -> list[str]:
    """Return the full names of the layers that get LoRA.

    The head is never among them: it is trained only with the language model in `full` mode.
    """
    layers = [
        name
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear) and name != HEAD
    ]
    targets: list[str] = []
    for part in PARTS:
        if getattr(tune, part) == "lora":
            of_part = [name for name in layers if part_of(name) == part]
            chosen = _chosen(of_part, part, tune.targets, notify)
            if not chosen:
                raise ModelError(
                    f"tune.targets: {tune.targets!r} picks no linear layer of the {part} part; "
                    f"it has {_kinds(of_part)}, or set tune.{part}=frozen"
                )
            targets += chosen
    return targets


def _chosen(
    layers: list[str],
    part: Part,
    targets: tuple[str, ...] | str,
    notify: Callable[[AnyEvent], None],
) -> list[str]:
    if targets == "all-linear" or (isinstance(targets, tuple) and part != "language"):
        return layers
    if isinstance(targets, str):
        return _matching(layers, targets)
    for target in targets:
        if not any(_ends_with(name, target) for name in layers):
            message = f"tune.targets: no linear layer is named {target}; there are {_kinds(layers)}"
            if targets != LANGUAGE_TARGETS:
                raise ModelError(message)
            notify(Notice(topic="targets", message=message))
    return [name for name in layers if any(_ends_with(name, target) for target in targets)]


def _matching(layers: list[str], pattern: str) -> list[str]:
    try:
        return [name for name in layers if re.fullmatch(pattern, name)]
    except re.error as error:
        raise ModelError(
            f"tune.targets: {pattern!r} is no regular expression ({error}); "
            "mend it, or give a list of names or all-linear"
        ) from error


def _ends_with(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _kinds(layers: Iterable[str]) -> str:
    return ", ".join(sorted({name.rsplit(".", 1)[-1] for name in layers}))


def _pattern(targets: list[str], modules: Collection[str]) -> str:
    """One regular expression that matches the targets and no other module."""
    patterns = []
    for part in PARTS:
        of_part = [name for name in targets if part_of(name) == part]
        if of_part:
            patterns.append(_part_pattern(of_part, modules))
    return "|".join(patterns)


def _part_pattern(targets: list[str], modules: Collection[str]) -> str:
    """Any number in place of each number, unless that matches a module too many."""
    escaped = [re.escape(name) for name in targets]
    general = "|".join(dict.fromkeys(_NUMBER_IN_ESCAPED_NAME.sub(r"\\d+", e) for e in escaped))
    matched = {name for name in modules if re.fullmatch(general, name)}
    return general if matched == set(targets) else "|".join(escaped)


def _fully_trained_modules(base: PreTrainedModel, tune: TuneConfig) -> list[str]:
    """The modules that make up the parts in `full` mode.

    PEFT cannot wrap a ModuleList, so its elements are named one by one.
    """
    head = [] if _head_is_tied(base) else [HEAD]  # PEFT ties a copy of the head by itself
    names = [*_blocks(base, TOWER), *_blocks(base, LANGUAGE_MODEL), *head]
    return [name for name in names if getattr(tune, part_of(name)) == "full"]


def _head_is_tied(base: PreTrainedModel) -> bool:
    return base.get_parameter(f"{HEAD}.weight") is base.get_input_embeddings().weight


def _blocks(base: PreTrainedModel, root: str) -> Iterator[str]:
    for name, child in base.get_submodule(root).named_children():
        if isinstance(child, nn.ModuleList):
            yield from (f"{root}.{name}.{index}" for index in range(len(child)))
        elif any(True for _ in child.parameters()):
            yield f"{root}.{name}"


def _check_adapted(model: PeftModel, targets: list[str]) -> None:
    adapted = {
        name.removeprefix("base_model.model.")
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }
    assert adapted == set(targets), f"LoRA is on other layers: {adapted ^ set(targets)}"


def _spare_conversions(model: PeftModel, tune: TuneConfig) -> None:
    """Let LoRA layers take bf16 as it comes; autocast multiplies in bf16 all the same.

    PEFT would make it fp32 first, for the sake of the factors, which autocast undoes. Not where
    dropout would differ: on a CPU it scales in the precision of what it is given.
    """
    if tune.dropout and model.device.type == "cpu":
        return
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False


def _draw_factors(model: PeftModel, seed: int) -> None:
    """Draw every A on the CPU as PEFT does, so that the device does not matter; B is zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in trainable_parameters(model).items():
        if is_lora(name) and ".lora_A." in name:
            drawn = torch.empty(weight.shape, dtype=torch.float32)
            nn.init.kaiming_uniform_(drawn, a=5**0.5, generator=generator)
            weight.data = drawn.to(weight.device)
