"""Optimizers move every part at its own rate, and their state survives."""

from typing import get_args

import pytest
import torch
from safetensors.torch import load, save

from trainer.config.schema import OptimizerConfig, OptimizerName
from trainer.train.optimizer import build_optimizer, optimizer_tensors, restore_optimizer

NAMES = get_args(OptimizerName)
pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")


class Toy(torch.nn.Module):
    """One matrix large enough for 8 bits and one vector, under the names of a real model."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = torch.nn.ModuleDict(
            {
                "language_model": torch.nn.Linear(96, 64),
                "visual": torch.nn.ModuleDict({"merger": torch.nn.Linear(8, 8)}),
            }
        )


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_optimizer_goes_on_bit_for_bit(name: OptimizerName):
    config = OptimizerConfig(name=name, weight_decay=0.1)
    whole = Toy()
    train(whole, build_optimizer(whole, config), range(6))

    first = Toy()
    optimizer = build_optimizer(first, config)
    train(first, optimizer, range(3))
    tensors, steps = optimizer_tensors(first, optimizer)
    second = Toy()
    second.load_state_dict(first.state_dict())
    restored = build_optimizer(second, config)
    restore_optimizer(second, restored, load(save(tensors)), steps)
    train(second, restored, range(3, 6))

    for expected, found in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_eight_bit_state_is_kept_in_eight_bits():
    model = Toy()
    optimizer = build_optimizer(model, OptimizerConfig(name="adamw_8bit"))
    train(model, optimizer, range(1))
    tensors, _steps = optimizer_tensors(model, optimizer)
    assert tensors["model.language_model.weight.state1"].dtype == torch.uint8
    assert tensors["model.language_model.bias.state1"].dtype == torch.float32


def test_state_of_other_parameters_is_refused():
    model = Toy()
    optimizer = build_optimizer(model, OptimizerConfig(name="adamw"))
    train(model, optimizer, range(1))
    tensors, steps = optimizer_tensors(model, optimizer)
    tensors["model.language_model.weight.exp_avg"] = torch.zeros(3)
    fresh = build_optimizer(model, OptimizerConfig(name="adamw"))
    with pytest.raises(ValueError, match=r"language_model\.weight\.exp_avg"):
        restore_optimizer(model, fresh, tensors, steps)


def test_every_part_has_its_own_learning_rate_and_vectors_are_not_decayed():
    config = OptimizerConfig(
        name="adamw", learning_rate=1e-4, aligner_learning_rate=1e-3, weight_decay=0.1
    )
    groups = build_optimizer(Toy(), config).param_groups
    found = {(group["part"], group["peak"], group["weight_decay"]) for group in groups}
    assert found == {
        ("language", 1e-4, 0.1),
        ("language", 1e-4, 0.0),
        ("aligner", 1e-3, 0.1),
        ("aligner", 1e-3, 0.0),
    }
