"""Start a new adapter from an earlier one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file

from trainer.model.errors import ModelError
from trainer.model.parts import part_of
from trainer.model.weights import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_tensors
from trainer.run.events import AnyEvent, Notice

# What would make the same tensors mean something else; the value is what a new adapter has.
_PLAIN: dict[str, Any] = {
    "peft_type": "LORA",
    "use_dora": False,
    "use_rslora": False,
    "bias": "none",
    "rank_pattern": {},
    "alpha_pattern": {},
    "fan_in_fan_out": False,
}


def start_from_adapter(model: PeftModel, folder: Path, notify: Callable[[AnyEvent], None]) -> None:
    """Copy every weight of an earlier adapter; layers it does not have keep their fresh start.

    Raises:
        ModelError: No adapter, or one whose weights the new one could not hold as they are.

    """
    described, weights = _read_adapter(folder)
    own = adapter_tensors(model)
    _check_settings(model, folder, described)
    _check_weights(folder, weights, own)
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)
    _report(model, folder, described, sorted(set(own) - set(weights)), notify)


def _read_adapter(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: no {name}; set model.adapter to a folder with an adapter")
    try:
        described = orjson.loads((folder / ADAPTER_CONFIG).read_bytes())
        return dict(described), load_file(folder / ADAPTER_WEIGHTS)
    except (orjson.JSONDecodeError, TypeError, SafetensorError) as error:
        raise ModelError(f"{folder}: is damaged ({error}); copy the adapter anew") from error


def _check_settings(model: PeftModel, folder: Path, described: dict[str, Any]) -> None:
    config = model.active_peft_config
    for key, plain in _PLAIN.items():
        if described.get(key, plain) not in (plain, None):
            raise ModelError(
                f"{folder}: {key} is {described[key]}; only plain LoRA can be continued, "
                "merge the adapter into its base instead"
            )
    for option, key in (("rank", "r"), ("alpha", "lora_alpha")):
        wanted = getattr(config, key)
        if described.get(key) != wanted:
            raise ModelError(
                f"tune.{option} is {wanted} but {folder} was trained with {described.get(key)}; "
                f"set tune.{option}={described.get(key)}"
            )


def _check_weights(
    folder: Path, weights: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> None:
    homeless = sorted(set(weights) - set(own))
    if homeless:
        raise ModelError(
            f"{folder}: holds {len(homeless)} weights that tune leaves out ({_few(homeless)}); "
            f"train {_parts(homeless)} the way the adapter did, or merge it into its base"
        )
    wrong = [name for name in weights if weights[name].shape != own[name].shape]
    if wrong:
        raise ModelError(
            f"{folder}: other shapes than the base has ({_few(wrong)}); check the base"
        )


def _report(
    model: PeftModel,
    folder: Path,
    described: dict[str, Any],
    fresh: list[str],
    notify: Callable[[AnyEvent], None],
) -> None:
    message = f"started from {folder}"
    if fresh:
        message += f"; {len(fresh)} weights it does not have start fresh ({_few(fresh)})"
    base, own_base = described.get("base_model_name_or_path"), model.active_peft_config
    if base != own_base.base_model_name_or_path:
        message += f"; it was trained on {base}"
    notify(Notice(topic="adapter", message=message))


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _parts(names: list[str]) -> str:
    try:
        return " and ".join(sorted({part_of(name) for name in names}))
    except ValueError:
        return "its parts"
