"""What headers say a step costs is what the loaded model says."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.config.schema import RunConfig
from trainer.demo.tiny import Family, build_tiny_checkpoint
from trainer.forecast.checkpoint import Checkpoint, find_checkpoint
from trainer.forecast.operations import cost_by_headers
from trainer.model.cost import TrainingCost
from trainer.model.flops import training_cost
from trainer.model.load import load_trainable
from trainer.model.parts import PARTS

COMBINATIONS = [
    modes
    for modes in itertools.product(("frozen", "lora", "full"), repeat=3)
    if set(modes) != {"frozen"}
]


def config_of(checkpoint: Path | str, tune: dict[str, Any], **model: Any) -> RunConfig:
    options = {"path": str(checkpoint), "dtype": "fp32", "quantization": "none", **model}
    return RunConfig.model_validate({"model": options, "data": {"train": ["x"]}, "tune": tune})


def both(config: RunConfig) -> tuple[TrainingCost | None, TrainingCost | None]:
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    loaded = load_trainable(config, torch.device("cpu"), lambda _: None)
    return cost_by_headers(config, shapes), training_cost(loaded)


@pytest.mark.parametrize(("number", "modes"), enumerate(COMBINATIONS))
def test_headers_say_what_the_loaded_model_costs(
    tiny_checkpoint: Path, number: int, modes: tuple[str, ...]
):
    tune: dict[str, Any] = dict(zip(PARTS, modes, strict=True))
    checkpointing = ("off", "all", "language", "vision")[number % 4]
    again = {"activation_checkpointing": checkpointing, "recompute_every": 1 + number % 3}
    told, counted = both(config_of(tiny_checkpoint, tune, **again))
    assert told == counted


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_so_it_is_for_the_older_families(tmp_path: Path, family: Family):
    folder = build_tiny_checkpoint(tmp_path / family, family=family)
    told, counted = both(config_of(folder, {"vision": "lora", "aligner": "full"}))
    assert told == counted
    assert told is not None
    assert (told.window is None) == (family == "qwen2_vl")


def test_lora_on_some_layers_carries_gradients_back_to_the_first_of_them(tiny_checkpoint: Path):
    targets = r"model\.language_model\.layers\.[23]\.mlp\.up_proj"
    told, counted = both(
        config_of(tiny_checkpoint, {"targets": targets}, activation_checkpointing=True)
    )
    assert told == counted


def test_a_known_model_that_is_not_here_costs_what_its_shapes_say():
    config = config_of("Qwen/Qwen3-VL-2B-Instruct", {})
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    cost = cost_by_headers(config, shapes)
    assert cost is not None
    assert cost.text.tokens == pytest.approx(4 * 1_409_286_144, rel=0.05)  # forward and back
    assert cost.vision.patches == pytest.approx(2 * 24 * 12 * 1024**2)


def test_the_experts_of_a_mixture_count_as_those_that_a_token_sees():
    config = config_of("Qwen/Qwen3-VL-30B-A3B-Instruct", {})
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    cost = cost_by_headers(config, shapes)
    assert cost is not None
    active = shapes.layers * 3 * shapes.hidden * shapes.mlp
    assert cost.text.tokens > 4 * active


def test_packed_weights_do_not_tell_their_shapes(tiny_checkpoint: Path):
    config = config_of(tiny_checkpoint, {})
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    packed = Checkpoint(**{**vars(shapes), "stored_quantized": True})
    assert cost_by_headers(config, packed) is None
