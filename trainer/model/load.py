"""Turn a checkpoint on disk into a model that trains what the configuration asks for."""

import logging
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig, PreTrainedModel

from trainer.config.model import ModelConfig, TuneConfig
from trainer.config.schema import RunConfig
from trainer.model.adapters import add_adapter
from trainer.model.compiled import compile_layers
from trainer.model.download import ensure_local
from trainer.model.errors import ModelError
from trainer.model.gated import gate_in_place
from trainer.model.needed_rows import spare_rows
from trainer.model.norms import keep_inputs_of_norms
from trainer.model.parts import (
    HEAD,
    PARTS,
    TOWER,
    in_use,
    part_of,
    quantized_layers,
    wrongly_quantized_layers,
)
from trainer.model.patches import embed_patches_by_products
from trainer.model.recompute import recompute_activations
from trainer.model.rematerialize import note_results
from trainer.model.segments import attend_by_segment
from trainer.model.start import start_from_adapter
from trainer.model.weights import is_adapter
from trainer.run.events import AnyEvent, Notice, Phase

__all__ = ["ModelError", "is_adapter", "load_trainable"]

Notify = Callable[[AnyEvent], None]

MODEL_TYPES = ("qwen3_vl", "qwen3_vl_moe", "qwen2_5_vl", "qwen2_vl")
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
INDEX = "model.safetensors.index.json"


def load_trainable(config: RunConfig, device: torch.device, notify: Notify) -> nn.Module:
    """Return the model in train mode on `device`, every part frozen, LoRA or full as configured.

    Trainable weights are fp32; frozen ones stay in the configured dtype or quantised. Run its
    forward under bf16 autocast unless model.dtype is fp32.

    Raises:
        ModelError: The checkpoint is missing, foreign or incomplete, or does not fit the options.

    """
    folder = ensure_local(config.model, notify)
    notify(Phase(name="load", state="started", detail=str(folder)))
    started = time.monotonic()
    base = load_base(folder, config.model, device, notify)
    model = make_trainable(base, config, notify)
    notify(Phase(name="load", state="finished", seconds=time.monotonic() - started))
    return model


def load_base(
    folder: Path, config: ModelConfig, device: torch.device, notify: Notify
) -> PreTrainedModel:
    """Return the untouched base model, in eval mode and without a key-value cache."""
    described = read_checkpoint_config(folder)
    quantization = _quantization(config, described, notify)
    options: dict[str, Any] = {} if quantization is None else {"quantization_config": quantization}
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=DTYPES[config.dtype],
            attn_implementation=_attention(config),
            device_map=None if device.type == "cpu" else {"": device},
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are listed below
            **options,
        )
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be loaded ({error}); download it anew") from error
    model, loading = loaded
    _check_keys(folder, loading)
    _check_quantized(folder, model)
    embed_patches_by_products(model.model.visual)
    gate_in_place(model)
    keep_inputs_of_norms(model)
    note_results(model.model.visual)
    attend_by_segment(model, device)
    for part in (model.config, model.config.text_config):
        part.use_cache = False
    return model


def make_trainable(base: PreTrainedModel, config: RunConfig, notify: Notify) -> nn.Module:
    """Return the base with its parts frozen, with LoRA, or in full training, in train mode."""
    modes = [getattr(config.tune, part) for part in PARTS]
    base.requires_grad_(False)
    _check_full_parts(base, config.tune)
    if "lora" in modes:
        model = add_adapter(
            base, config.tune, base_name=config.model.path, seed=config.seed, notify=notify
        )
        if config.model.adapter is not None:
            start_from_adapter(model, Path(config.model.adapter), notify)
    elif config.model.adapter is not None:
        raise ModelError(
            f"model.adapter: no part is in lora mode, so {config.model.adapter} has no place; "
            "set tune.language=lora, or merge the adapter into its base"
        )
    else:
        model = base
        for name, weight in base.named_parameters():
            weight.requires_grad_(getattr(config.tune, part_of(name)) == "full")
    _hold_masters_in_fp32(model)
    vision, language = base.model.visual, base.model.language_model
    for part, tower, layers in (
        ("vision", vision, vision.blocks),
        ("language", language, language.layers),
    ):
        if again := config.model.recomputed_layers(part, len(layers)):
            recompute_activations(tower, layers, again)
    if config.model.compile == "language":
        compile_layers(language, notify)
    spare_rows(language, in_use(language.layers[-1]))
    return model.train()


def read_checkpoint_config(folder: Path) -> dict[str, Any]:
    """Return the checkpoint's config.json, checked for what can be trained.

    Raises:
        ModelError: No checkpoint, one of another architecture, or one without safetensors.

    """
    path = folder / "config.json"
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{folder}: is a LoRA adapter; set model.adapter to it and model.path to its base"
        )
    if not path.is_file():
        raise ModelError(
            f"{folder}: no config.json, so no checkpoint; set model.path to its folder"
        )
    try:
        described = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ModelError(f"{path}: is no JSON ({error}); download the checkpoint anew") from error
    if not isinstance(described, dict) or described.get("model_type") not in MODEL_TYPES:
        kind = described.get("model_type") if isinstance(described, dict) else None
        raise ModelError(
            f"{path}: model_type {kind} is not supported; use one of {', '.join(MODEL_TYPES)}"
        )
    _check_weight_files(folder)
    return described


def _check_weight_files(folder: Path) -> None:
    index = folder / INDEX
    if not index.is_file():
        if not (folder / "model.safetensors").is_file():
            raise ModelError(
                f"{folder}: no model.safetensors and no {INDEX}; "
                "only safetensors are read, convert other formats first"
            )
        return
    try:
        names = set(orjson.loads(index.read_bytes())["weight_map"].values())
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{index}: has no weight_map; download the checkpoint anew") from error
    for name in sorted(map(str, names)):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"{index}: names {name}, which is no file beside it; do not trust it")
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing; download the checkpoint anew")


def _quantization(
    config: ModelConfig, described: dict[str, Any], notify: Notify
) -> BitsAndBytesConfig | None:
    """How to quantise while loading; None: not, or the checkpoint already is."""
    stored = described.get("quantization_config")
    if stored is not None:
        _take_as_stored(config, stored, notify)
        return None
    kept = [TOWER, HEAD]  # "visual" alone would quantise the tower
    if config.quantization == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=config.double_quantization,
            bnb_4bit_compute_dtype=DTYPES[config.dtype],
            llm_int8_skip_modules=kept,
        )
    if config.quantization == "int8":
        # It repeats on every layer and step that int8 layers multiply in float16.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return None


def _take_as_stored(config: ModelConfig, stored: dict[str, Any], notify: Notify) -> None:
    method = stored.get("quant_method", "bitsandbytes")
    if method != "bitsandbytes":
        raise ModelError(
            f"{config.path}: quantised with {method}, which cannot be trained; "
            "use the unquantised checkpoint"
        )
    kind = "int8" if stored.get("load_in_8bit") else str(stored.get("bnb_4bit_quant_type"))
    if kind != config.quantization:
        message = f"{config.path} is stored in {kind}; model.quantization {config.quantization} "
        notify(Notice(topic="quantization", message=message + "is not applied"))


def _attention(config: ModelConfig) -> dict[str, str]:
    """The kernel of each part, by the name of its configuration."""
    chosen = {"text_config": config.attention, "vision_config": config.attention_of_vision}
    for option in ("attention", "vision_attention"):
        if getattr(config, option) == "flash_attention_2" and find_spec("flash_attn") is None:
            raise ModelError(
                f"model.{option}: flash_attention_2 needs the package flash-attn, which is not "
                f"installed; install it or set model.{option}=sdpa"
            )
    return {part: "sdpa" if name == "auto" else name for part, name in chosen.items()}


def _check_keys(folder: Path, loading: dict[str, Any]) -> None:
    problems = {
        kind: sorted(map(str, loading[f"{kind}_keys"]))
        for kind in ("missing", "unexpected", "mismatched")
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {', '.join(keys)}" for kind, keys in problems.items() if keys)
        raise ModelError(
            f"{folder}: weights and config.json disagree ({listed}); download the checkpoint anew"
        )


def _check_quantized(folder: Path, model: nn.Module) -> None:
    if wrong := wrongly_quantized_layers(model):
        raise ModelError(
            f"{folder}: stored with a quantised vision tower or head ({', '.join(wrong)}); "
            "use the unquantised checkpoint"
        )


def _check_full_parts(base: nn.Module, tune: TuneConfig) -> None:
    if tune.language == "full" and quantized_layers(base):
        raise ModelError(
            "tune.language is full but the checkpoint is stored quantised; "
            "use the unquantised checkpoint or set tune.language=lora"
        )


def _hold_masters_in_fp32(model: nn.Module) -> None:
    """Small updates are lost in bf16 weights, so what is trained is held in fp32."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
