"""Build the optimizer and turn its state into plain tensors and back."""

from collections.abc import Iterator
from typing import Any

import torch

from trainer.config.schema import OptimizerConfig
from trainer.model.parts import part_of
from trainer.run.events import Part

ONE_DIMENSION = 1  # biases, norms and other vectors are not decayed


def build_optimizer(model: torch.nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return the configured optimizer over the trainable parameters.

    Every group carries `part` and `peak`, the peak learning rate of its part.
    """
    groups = list(_groups(model, config))
    settings: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": (config.beta1, config.beta2),
        "eps": config.epsilon,
    }
    if config.name == "adamw":
        return torch.optim.AdamW(groups, fused=True, **settings)
    return _bitsandbytes_class(config.name)(groups, **settings)


def _bitsandbytes_class(name: str) -> type[torch.optim.Optimizer]:
    from bitsandbytes.optim.adamw import (
        AdamW8bit,
        AdamW32bit,
        PagedAdamW8bit,
        PagedAdamW32bit,
    )

    return {
        "adamw_8bit": AdamW8bit,
        "adamw_32bit": AdamW32bit,
        "paged_adamw_8bit": PagedAdamW8bit,
        "paged_adamw_32bit": PagedAdamW32bit,
    }[name]


def _groups(model: torch.nn.Module, config: OptimizerConfig) -> Iterator[dict[str, Any]]:
    """Yield one parameter group for every part and decay that has trainable parameters."""
    members: dict[tuple[Part, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = parameter.ndim > ONE_DIMENSION and config.weight_decay > 0
            members.setdefault((part_of(name), decayed), []).append(parameter)
    for (part, decayed), parameters in members.items():
        yield {
            "params": parameters,
            "part": part,
            "peak": peak_learning_rate(config, part),
            "weight_decay": config.weight_decay if decayed else 0.0,
        }


def peak_learning_rate(config: OptimizerConfig, part: Part) -> float:
    """Return the peak learning rate of a part."""
    return getattr(config, f"{part}_learning_rate") or config.learning_rate


def optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Return the optimizer's state as named tensors and the step count of every parameter.

    Names are `<parameter>.<state>`. Quantisation maps are constants and left out.
    """
    tensors: dict[str, torch.Tensor] = {}
    steps: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if key == "step":
                steps[name] = float(value)
            elif not key.startswith("qmap"):
                tensors[f"{name}.{key}"] = value.detach().to("cpu").contiguous()
    return tensors, steps


@torch.no_grad()
def restore_optimizer(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
    steps: dict[str, float],
) -> None:
    """Give a fresh optimizer the state that `optimizer_tensors` returned.

    Raises:
        ValueError: The state belongs to other parameters than the model trains.

    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    unused = set(tensors)
    for group_index, group in enumerate(optimizer.param_groups):
        for index, parameter in enumerate(group["params"]):
            name = names[id(parameter)]
            if name not in steps:
                continue
            state = _empty_state(optimizer, group, parameter, group_index, index, steps[name])
            for key in (key for key in state if key != "step" and not key.startswith("qmap")):
                state[key].copy_(_matching(tensors, f"{name}.{key}", state[key]))
                unused.discard(f"{name}.{key}")
    if unused:
        msg = f"optimizer state of unknown parameters: {', '.join(sorted(unused)[:5])}"
        raise ValueError(msg)


def _matching(tensors: dict[str, torch.Tensor], name: str, expected: torch.Tensor) -> torch.Tensor:
    found = tensors.get(name)
    if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
        what = "nothing" if found is None else f"{found.dtype} {tuple(found.shape)}"
        msg = f"optimizer state {name} is {what}, not {expected.dtype} {tuple(expected.shape)}"
        raise ValueError(msg)
    return found


def _empty_state(  # noqa: PLR0913
    optimizer: torch.optim.Optimizer,
    group: dict[str, Any],
    parameter: torch.nn.Parameter,
    group_index: int,
    index: int,
    step: float,
) -> dict[str, Any]:
    """Return the state of one parameter as the optimizer itself would allocate it."""
    state = optimizer.state[parameter]
    if isinstance(optimizer, torch.optim.AdamW):
        state["step"] = torch.tensor(step, dtype=torch.float32, device=parameter.device)
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
    else:
        optimizer.init_state(group, parameter, group_index, index)  # pyright: ignore
        state["step"] = int(step)
    return state
