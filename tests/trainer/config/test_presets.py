"""Every shipped configuration loads and holds the numbers it promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.config.differences import config_differences
from trainer.config.load import load_config, preset_names
from trainer.config.schema import RunConfig

Write = Callable[..., Path]
EXPECTED = [
    "balanced",
    "demo",
    "fast",
    "low-memory",
    "quality",
    "smoke",
    "stage1-aligner",
    "stage1-aligner-full",
    "stage2-language-aligner",
]


@pytest.fixture
def load(write: Write) -> Callable[[str], RunConfig]:
    train = write().parent / "train.jsonl"

    def load(preset: str) -> RunConfig:
        return load_config(preset, ["model.path=Qwen/Qwen3-VL-2B-Instruct", f"data.train={train}"])

    return load


def test_the_shipped_presets_are_the_documented_ones():
    assert preset_names() == EXPECTED


@pytest.mark.parametrize("preset", EXPECTED)
def test_a_preset_loads_once_model_and_data_are_given(
    load: Callable[[str], RunConfig], preset: str
):
    assert load(preset).name == preset


@pytest.mark.parametrize("preset", EXPECTED)
def test_a_preset_says_what_it_is_for_and_states_no_path(preset: str):
    text = (Path("configs") / f"{preset}.yaml").read_text()
    assert text.startswith("# ")
    assert "path:" not in text
    assert "train:" not in text


def test_balanced_is_the_defaults(load: Callable[[str], RunConfig]):
    assert config_differences(load("balanced")).keys() == {"model.path", "data.train"}


def test_the_presets_hold_their_numbers(load: Callable[[str], RunConfig]):
    def numbers(config: RunConfig) -> tuple[float, float, int]:
        return config.training.epochs, config.optimizer.learning_rate, config.batch.accumulation

    assert numbers(load("fast")) == (1.0, 5e-4, 2)
    assert numbers(load("balanced")) == (3.0, 2e-4, 4)
    assert numbers(load("quality")) == (5.0, 1e-4, 8)
    low = load("low-memory")
    assert (low.data.max_length, low.batch.accumulation) == (1024, 8)
    assert low.model.activation_checkpointing == "all"
    smoke = load("smoke")
    assert (smoke.data.train_samples, smoke.data.validation_samples) == (32, 32)


def test_the_two_stages_train_what_they_are_named_for(load: Callable[[str], RunConfig]):
    first, full, second = map(
        load, ("stage1-aligner", "stage1-aligner-full", "stage2-language-aligner")
    )
    modes = [(c.tune.vision, c.tune.aligner, c.tune.language) for c in (first, full, second)]
    assert modes == [
        ("frozen", "lora", "frozen"),
        ("frozen", "full", "frozen"),
        ("frozen", "lora", "lora"),
    ]
    assert (first.tune.rank, first.tune.alpha) == (second.tune.rank, second.tune.alpha) == (32, 64)
    assert (first.optimizer.learning_rate, first.training.epochs) == (1e-4, 3.0)
    assert (full.optimizer.learning_rate, full.optimizer.weight_decay) == (1e-4, 0.1)
    assert full.schedule.warmup_ratio == 0.3
    assert (second.optimizer.learning_rate, second.training.epochs) == (5e-5, 2.0)
    assert second.schedule.floor_learning_rate < second.optimizer.learning_rate


def test_the_demo_trains_everything_in_full_precision(load: Callable[[str], RunConfig]):
    demo = load("demo")
    assert {demo.tune.vision, demo.tune.aligner, demo.tune.language} == {"full"}
    assert (demo.model.dtype, demo.model.quantization) == ("fp32", "none")
