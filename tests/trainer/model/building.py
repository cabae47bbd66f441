"""Small models, batches and training steps that the tests of this folder share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from trainer.config.model import ModelConfig, TuneConfig
from trainer.config.schema import DataConfig, RunConfig
from trainer.model.body import base_of
from trainer.model.load import load_trainable
from trainer.model.parts import trainable_parameters
from trainer.run.events import AnyEvent

CPU = torch.device("cpu")
PEFT_ASKS_BY_AN_OLDER_NAME = "ignore:.is_gradient_checkpointing.:FutureWarning"


def run_config(folder: Path, tune: dict[str, Any] | None = None, **model: Any) -> RunConfig:
    """A run over the checkpoint: fp32 and not quantised unless said otherwise."""
    seed = model.pop("seed", 0)
    options = {"path": str(folder), "dtype": "fp32", "quantization": "none", **model}
    return RunConfig(
        seed=seed,
        model=ModelConfig(**options),
        data=DataConfig(train=("train.jsonl",)),
        tune=TuneConfig(**{"dropout": 0.0, **(tune or {})}),
    )


def ignore(_: AnyEvent) -> None:
    """Take no notice of events."""


def load(
    folder: Path,
    tune: dict[str, Any] | None = None,
    notify: Callable[[AnyEvent], None] = ignore,
    **model: Any,
) -> Any:
    """The trainable model of such a run."""
    return load_trainable(run_config(folder, tune, **model), CPU, notify)


def by_peft(model: Any) -> Any:
    """The same model, its LoRA layers computing as PEFT wrote them."""
    return as_written(model, (it for it in model.modules() if isinstance(it, LoraLayer)))


def as_written(model: Any, modules: Iterable[Any]) -> Any:
    """The same model, these modules of it computing as their classes were written."""
    for module in modules:
        vars(module).pop("forward")
    return model


@contextmanager
def kept_tensors() -> Iterator[dict[int, torch.Tensor]]:
    """What the forward inside keeps for the backward, one tensor of every storage."""
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


def kept_by_body(model: Any) -> dict[int, torch.Tensor]:
    """What the forward of all but the head keeps for the backward."""
    with kept_tensors() as kept:
        result = base_of(model).model(**batch(model), use_cache=False).last_hidden_state
    assert result.requires_grad
    return kept


def batch(model: Any, *, images: bool = True, seed: int = 0) -> dict[str, torch.Tensor]:
    """Two random samples, with one picture of 4 x 4 patches each."""
    config = model.config
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(20, 200, (2, 24), generator=generator)
    inputs = {"attention_mask": torch.ones_like(input_ids)}
    if images:
        input_ids[:, 2] = config.vision_start_token_id
        input_ids[:, 3:7] = config.image_token_id
        vision = config.vision_config
        width = 3 * vision.temporal_patch_size * vision.patch_size**2
        inputs["pixel_values"] = torch.randn(32, width, generator=generator)
        inputs["image_grid_thw"] = torch.tensor([[1, 4, 4], [1, 4, 4]])
    kinds = (input_ids == config.image_token_id).long()
    return {**inputs, "input_ids": input_ids, "mm_token_type_ids": kinds}


def autocast(model: Any) -> torch.autocast:
    """What the loop wraps the forward in."""
    return torch.autocast("cpu", torch.bfloat16, enabled=model.config.dtype == torch.bfloat16)


def logits(model: Any, **options: Any) -> torch.Tensor:
    """The model's logits over the batch, in fp32."""
    with torch.no_grad(), autocast(model):
        return model(**batch(model, **options), use_cache=False).logits.float()


def loss(model: Any, **options: Any) -> torch.Tensor:
    """The mean loss of predicting the batch."""
    inputs = batch(model, **options)
    with autocast(model):
        predicted = model(**inputs, use_cache=False).logits
    wanted = inputs["input_ids"][:, 1:].flatten()
    return nn.functional.cross_entropy(predicted[:, :-1].float().flatten(0, 1), wanted)


def computed(model: Any) -> dict[str, torch.Tensor]:
    """The loss of the batch and the gradients of all that is trained, always with one dropout."""
    torch.manual_seed(0)
    value = loss(model)
    value.backward()
    weights = trainable_parameters(model).items()
    gradients = {name: it.grad for name, it in weights if it.grad is not None}
    model.zero_grad(set_to_none=True)
    return {"loss": value.detach(), **gradients}


def train(model: Any, steps: int = 3, learning_rate: float = 1e-3) -> list[float]:
    """The losses of a few AdamW steps."""
    optimizer = torch.optim.AdamW(trainable_parameters(model).values(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        value = loss(model)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(value.item())
    return losses


def values(model: Any) -> dict[str, torch.Tensor]:
    """A copy of every parameter, packed ones as they are stored."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}
