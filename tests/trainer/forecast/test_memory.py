"""The memory estimate counts what the model really has."""

from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.config.schema import RunConfig
from trainer.demo.tiny import build_tiny_checkpoint
from trainer.forecast.checkpoint import Checkpoint, find_checkpoint, read_header
from trainer.forecast.memory import (
    NF4_BYTES,
    Load,
    Memory,
    estimate_memory,
    largest_micro_batch,
    what_to_lower,
)
from trainer.forecast.records import Look
from trainer.forecast.vision_cache import vision_cache_bytes
from trainer.model.load import load_trainable
from trainer.model.tower import FrozenTower

LOAD = Load(tokens=200, target_tokens=20, patches=64)


def config_of(checkpoint: Path | str, **sections: Any) -> RunConfig:
    model = {"path": str(checkpoint), **sections.pop("model", {})}
    return RunConfig.model_validate({"model": model, "data": {"train": ["x"]}, **sections})


def on_cpu(config: RunConfig, checkpoint: Checkpoint, load: Load) -> Memory:
    return estimate_memory(config, checkpoint, load, gpu=False)


def shapes_of(config: RunConfig) -> Checkpoint:
    found = find_checkpoint(config.model)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "tune",
    [
        {"language": "lora"},
        {"language": "lora", "aligner": "lora", "vision": "lora", "rank": 4},
        {"language": "lora", "targets": "all-linear"},
        {"language": "frozen", "aligner": "full"},
        {"vision": "full", "aligner": "full", "language": "full"},
    ],
)
def test_weights_and_trained_values_are_counted_as_the_model_has_them(
    tiny_checkpoint: Path, tune: dict[str, Any]
):
    config = config_of(
        tiny_checkpoint,
        model={"dtype": "bf16", "quantization": "none"},
        tune=tune,
        optimizer={"name": "adamw"},
    )
    model = load_trainable(config, torch.device("cpu"), lambda _: None)
    trained = sum(it.numel() for it in model.parameters() if it.requires_grad)
    frozen = sum(
        it.numel() * it.element_size() for it in model.parameters() if not it.requires_grad
    )
    memory = on_cpu(config, shapes_of(config), LOAD)
    lora = "lora" in tune.values()
    weights = trained * 4
    assert memory.weights == frozen + (0 if lora else weights)
    assert memory.training == trained * 12 + (weights if lora else 0)


def test_quantised_linear_layers_take_a_quarter(tiny_checkpoint: Path):
    plain = config_of(tiny_checkpoint, model={"quantization": "none"})
    nf4 = config_of(tiny_checkpoint)
    shapes = shapes_of(plain)
    linear = sum(it.elements for it in shapes.tensors if it.part == "language" and it.layer)
    saved = on_cpu(plain, shapes, LOAD).weights - on_cpu(nf4, shapes, LOAD).weights
    assert saved == pytest.approx(linear * (2 - NF4_BYTES), abs=2)


def test_activation_checkpointing_and_a_frozen_tower_save_activations(tiny_checkpoint: Path):
    shapes = shapes_of(config_of(tiny_checkpoint))

    def activations(**sections: Any) -> int:
        return on_cpu(config_of(tiny_checkpoint, **sections), shapes, LOAD).activations

    plain = activations()
    every, other = (
        activations(model={"activation_checkpointing": True, "recompute_every": it})
        for it in (1, 2)
    )
    assert every < plain / 2 < other < 0.7 * plain
    tower = activations(tune={"vision": "lora"})
    assert tower > plain
    for parts in ("language", "vision"):
        assert (
            activations(tune={"vision": "lora"}, model={"activation_checkpointing": parts}) < tower
        )
    assert activations(model={"attention": "eager"}) > plain


def test_a_known_model_that_is_not_here_has_its_shapes_from_our_list():
    config = config_of("Qwen/Qwen3-VL-2B-Instruct", model={"quantization": "none"})
    shapes = shapes_of(config)
    assert sum(it.elements for it in shapes.tensors) == 2_127_532_032
    assert on_cpu(config, shapes, LOAD).weights == 2 * 2_127_532_032


def test_an_unknown_model_has_no_shapes():
    assert find_checkpoint(config_of("somebody/some-model").model) is None


def test_a_damaged_file_lists_no_tensors(tmp_path: Path):
    for content in (b"", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]", b'\x0b\0\0\0\0\0\0\0{"a": null}'):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        assert read_header(path) == []


def test_what_to_lower_names_what_takes_most(tiny_checkpoint: Path):
    config = config_of(tiny_checkpoint, batch={"size": 4})
    memory = on_cpu(config, shapes_of(config), Load(tokens=9_000, target_tokens=9, patches=0))
    assert what_to_lower(config, memory) == "batch.size=1, batch.accumulation=16"
    config = config_of(tiny_checkpoint, model={"quantization": "none"})
    memory = on_cpu(config, shapes_of(config), Load(tokens=1, target_tokens=1, patches=0))
    assert what_to_lower(config, memory) == "model.quantization=nf4"


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"size": 3}, Load(tokens=300, target_tokens=90, patches=192)),
        (  # all eight of a step would fit but for the limit
            {"size": 2, "packing": "pack", "tokens": 450},
            Load(tokens=450, target_tokens=240, patches=288),
        ),
        (
            {"size": 2, "packing": "group", "tokens": 10_000},
            Load(tokens=800, target_tokens=240, patches=512),
        ),
        (  # one alone is over the limit
            {"packing": "pack", "tokens": 50, "patches": 70},
            Load(tokens=100, target_tokens=100, patches=70),
        ),
    ],
)
def test_the_largest_micro_batch_is_what_the_layout_allows(batch: Any, expected: Load):
    largest = Load(tokens=100, target_tokens=30, patches=64)
    assert largest_micro_batch(config_of("x", batch=batch), largest) == expected


def test_a_packed_run_that_does_not_fit_is_told_to_lower_its_tokens(tiny_checkpoint: Path):
    load = Load(tokens=9_000, target_tokens=9, patches=0)
    for tokens, advice in ((9_000, "batch.tokens=2048"), (2_048, "model.activation_checkpointing")):
        batch = {"size": 4, "packing": "pack", "tokens": tokens}
        config = config_of(tiny_checkpoint, batch=batch)
        memory = on_cpu(config, shapes_of(config), load)
        assert what_to_lower(config, memory).startswith(advice)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_older_families_have_shapes_too(tmp_path: Path, family: Any):
    config = config_of(build_tiny_checkpoint(tmp_path / family, family=family))
    shapes = shapes_of(config)
    assert (shapes.layers, shapes.hidden, shapes.vision_hidden, shapes.mlp) == (4, 128, 64, 320)
    assert on_cpu(config, shapes, LOAD).training > 0


@pytest.mark.parametrize("aligner", ["frozen", "lora"])
def test_what_is_kept_of_pictures_is_forecast_as_the_tower_gives_it(
    tiny_checkpoint: Path, aligner: str
):
    config = config_of(
        tiny_checkpoint,
        model={"dtype": "bf16", "quantization": "none"},
        tune={"aligner": aligner},
    )
    model = load_trainable(config, torch.device("cpu"), lambda _: None)
    tower = FrozenTower(model, torch.bfloat16)
    vision: Any = model.config.vision_config  # pyright: ignore
    width = 3 * vision.temporal_patch_size * vision.patch_size**2
    features = tower.features(torch.zeros(24, width), (1, 4, 6))  # 6 visual tokens
    look = Look(records=10, looked_at=2, visual_tokens=[6])  # of two records one has a picture
    shapes = shapes_of(config)
    assert vision_cache_bytes(config, shapes, [look], epochs=2) == 5 * features.nbytes
    assert vision_cache_bytes(config, shapes, [look], epochs=1) is None
    off = config_of(tiny_checkpoint, model={"vision_cache": "off"})
    assert vision_cache_bytes(off, shapes, [look], epochs=2) is None
    limited = config_of(tiny_checkpoint, model={"vision_cache_bytes": 100})
    assert vision_cache_bytes(limited, shapes, [look], epochs=2) == 100


@pytest.mark.parametrize(
    ("model", "quantization", "measured_gib"),
    [("2B", "none", 12.8), ("2B", "nf4", 10.8), ("8B", "none", 37.9)],
)
def test_a_layer_wants_less_than_when_it_kept_all_inputs(
    model: str, quantization: str, measured_gib: float
):
    """Peaks on an H200 then, batch 2 of 1,133 tokens: docs/benchmarks.md, 2026-11-26."""
    config = config_of(
        f"Qwen/Qwen3-VL-{model}-Instruct",
        model={"quantization": quantization},
        optimizer={"name": "adamw"},
    )
    load = Load(tokens=2 * 1_133, target_tokens=2 * 60, patches=2 * 4_096)
    memory = estimate_memory(config, shapes_of(config), load, gpu=True)
    assert 0.6 < (memory.total - memory.overhead) / 2**30 / measured_gib < 0.75
