"""Write the trained weights to a folder, and read exactly those back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedModel

from trainer.model.errors import ModelError
from trainer.model.parts import trainable_parameters

ADAPTER_FOLDER, MODEL_FOLDER = "adapter", "model"
ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
LARGEST_SHARD = "5GB"
_FORMAT = {"format": "pt"}  # a second key would change the bytes from one save to the next


def is_adapter(model: nn.Module) -> bool:
    """Whether the result of training is an adapter rather than a whole model."""
    return isinstance(model, PeftModel)


def save_weights(model: nn.Module, folder: Path) -> Path:
    """Write `adapter/` or `model/` into the folder and return it; trained values are exact.

    The adapter loads with plain PEFT, the model with plain transformers. The same weights give
    the same bytes.
    """
    if isinstance(model, PeftModel):
        return _save_adapter(model, folder / ADAPTER_FOLDER)
    return _save_model(model, folder / MODEL_FOLDER)


def save_final(model: nn.Module, folder: Path, dtype: torch.dtype) -> Path:
    """Write the result of the run: the adapter as it is, or the whole model in `dtype`."""
    if isinstance(model, PeftModel):
        return _save_adapter(model, folder / ADAPTER_FOLDER)
    with _masters_cast(model, dtype):
        return _save_model(model, folder / MODEL_FOLDER)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill the model with what `save_weights` wrote into the folder, to the last bit.

    A whole model is read beside the present one, so the host needs room for it in fp32.

    Raises:
        ModelError: A file is missing or damaged, or holds other weights than the model has.

    """
    if isinstance(model, PeftModel):
        _load_adapter(model, folder / ADAPTER_FOLDER)
    else:
        _load_model(model, folder / MODEL_FOLDER)


def adapter_tensors(model: PeftModel) -> dict[str, torch.Tensor]:
    """Return every trainable weight under the name it has in a saved adapter.

    The tensors are the model's own: writing to them changes the model.
    """
    trainable = {
        name: weight.detach()
        for name, weight in model.named_parameters(remove_duplicate=False)  # a tied head too
        if weight.requires_grad
    }
    tensors = get_peft_model_state_dict(model, state_dict=trainable, save_embedding_layers=False)
    kept = {weight.data_ptr() for weight in tensors.values()}
    assert kept == {weight.data_ptr() for weight in trainable.values()}, "an adapter lacks weights"
    return tensors


def _save_adapter(model: PeftModel, folder: Path) -> Path:
    folder.mkdir(parents=True)
    save_file(
        {name: weight.cpu().clone() for name, weight in adapter_tensors(model).items()},
        folder / ADAPTER_WEIGHTS,
        metadata=_FORMAT,
    )
    config = model.active_peft_config
    training, config.inference_mode = config.inference_mode, True
    config.save_pretrained(str(folder))
    config.inference_mode = training
    return folder


def _load_adapter(model: PeftModel, folder: Path) -> None:
    try:
        stored = load_file(folder / ADAPTER_WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be read ({error}); use another checkpoint") from error
    _copy_all(folder, stored, adapter_tensors(model))


def _save_model(model: nn.Module, folder: Path) -> Path:
    assert isinstance(model, PreTrainedModel)
    dtype = model.config.dtype
    model.save_pretrained(folder, max_shard_size=LARGEST_SHARD)
    model.config.dtype = dtype  # saving sets it to the first weight's
    return folder


def _load_model(model: nn.Module, folder: Path) -> None:
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be read ({error}); use another checkpoint") from error
    stored, loading = loaded
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    if odd := sorted(str(key) for kind in kinds for key in loading[kind]):
        raise ModelError(f"{folder}: lacks or adds {_few(odd)}; use another checkpoint")
    _check_quantized(folder, stored, model)
    _copy_all(folder, _plain(stored), _plain(model))


def _copy_all(folder: Path, stored: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> None:
    odd = sorted(set(stored) ^ set(own)) or sorted(
        name for name in own if stored[name].shape != own[name].shape
    )
    if odd:
        raise ModelError(
            f"{folder}: holds other weights than this configuration trains ({_few(odd)}); "
            "resume with the configuration it was written with"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(stored[name])


def _check_quantized(folder: Path, stored: nn.Module, own: nn.Module) -> None:
    """Packed weights are frozen, so those of a checkpoint have to be there already."""
    mine, theirs = _packed(own), _packed(stored)
    odd = sorted(set(mine) ^ set(theirs)) or [
        name for name in mine if not torch.equal(mine[name].cpu(), theirs[name].cpu())
    ]
    if odd:
        raise ModelError(
            f"{folder}: was quantised from another base ({_few(odd)}); restore model.path"
        )


def _packed(model: nn.Module) -> dict[str, torch.Tensor]:
    """The packed weights of 4-bit and 8-bit layers, and the scales beside them."""
    plain = _plain(model)
    return {name: tensor for name, tensor in model.state_dict().items() if name not in plain}


def _plain(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every weight that is stored as the number it is, a tied head too."""
    return {
        name: weight.detach()
        for name, weight in model.named_parameters(remove_duplicate=False)
        if weight.is_floating_point()
    }


@contextmanager
def _masters_cast(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    masters = trainable_parameters(model)
    exact = {name: weight.data for name, weight in masters.items()}
    try:
        for weight in masters.values():
            weight.data = weight.data.to(dtype)
        yield
    finally:
        for name, weight in masters.items():
            weight.data = exact[name]


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
