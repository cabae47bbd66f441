"""What differs from the defaults, and what forbids an exact resume."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from trainer.config.differences import (
    HARMLESS_KEYS,
    HARMLESS_SECTIONS,
    LENGTH_KEYS,
    changed_options,
    config_differences,
    decisive_changes,
    decisive_values,
    resume_conflicts,
)
from trainer.config.load import load_config
from trainer.config.options import options
from trainer.config.schema import RunConfig

Load = Callable[..., RunConfig]


@pytest.fixture
def load(write: Callable[..., Path]) -> Load:
    path = write()

    def load(*overrides: str) -> RunConfig:
        return load_config(path, overrides, files_must_exist=False)

    return load


def test_only_what_is_not_at_its_default_differs(load: Load):
    differences = config_differences(load("tune.rank=8", "seed=0", "tune.targets=[q_proj]"))
    assert differences.keys() == {"model.path", "data.train", "tune.rank", "tune.targets"}
    assert differences["tune.rank"] == (16, 8)
    assert differences["model.path"] == (None, "Qwen/Qwen3-VL-2B-Instruct")


def test_the_defaults_of_a_variant_are_no_differences(load: Load):
    assert "data.max_length" not in config_differences(load("model.path=a/b-Thinking"))
    stated = load("model.path=a/b-Thinking", "data.max_length=2048")
    assert config_differences(stated)["data.max_length"] == (4096, 2048)


def test_two_configurations_are_compared_option_by_option(load: Load):
    assert changed_options(load("seed=1"), load("seed=2", "batch.size=2")) == {
        "seed": (1, 2),
        "batch.size": (1, 2),
    }


@pytest.mark.parametrize(
    "override",
    [
        "model.path=a/b",
        "model.dtype=fp32",
        "model.quantization=none",
        "data.train=[other.jsonl]",
        "data.max_length=99",
        "data.max_line_bytes=4096",
        "data.train_samples=5",
        "tune.dropout=0",
        "tune.targets=all-linear",
        "optimizer.name=adamw",
        "optimizer.learning_rate=1e-5",
        "schedule.warmup_steps=1",
        "batch.size=2",
        "batch.accumulation=2",
        "training.epochs=4",
        "training.max_steps=10",
        "training.threads=2",
        "seed=1",
    ],
)
def test_what_changes_the_numbers_of_training_forbids_a_resume(load: Load, override: str):
    old, new = load(), load(override)
    messages = resume_conflicts(old, new)
    assert len(messages) == 1
    assert messages[0].startswith(f"{override.split('=')[0]}: ")
    assert " became " in messages[0]
    assert "; set it back, or start a new run" in messages[0]


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "checkpoint.keep_last=5",
        "supervision.auto_resume=3",
        "evaluation.every_steps=7",
        "generation.temperature=1",
        "data.workers=0",
        "data.prefetch_bytes=1048576",
        "data.bad_records=refuse",
        "model.cache_dir=x",
        "model.activation_checkpointing=true",
        "model.recompute_every=2",
        "batch.largest_first=true",
        "training.log_with=[tensorboard]",
    ],
)
def test_what_leaves_the_numbers_alone_is_harmless(load: Load, override: str):
    assert changed_options(load(), load(override))
    assert resume_conflicts(load(), load(override)) == []


def test_a_constant_schedule_may_go_on_for_longer(load: Load):
    constant = "schedule.name=constant"
    assert resume_conflicts(load(constant), load(constant, "training.max_steps=99")) == []
    ratio = "schedule.warmup_ratio=0.1"
    assert resume_conflicts(load(constant, ratio), load(constant, ratio, "training.epochs=9"))


def test_data_that_moved_is_no_conflict_once_its_content_is_proven_equal(load: Load):
    old, new = load(), load("data.train=[moved.jsonl]")
    assert resume_conflicts(old, new, proven_equal={"data.train"}) == []


def test_what_decides_the_numbers_is_kept_and_told_when_it_changes(load: Load):
    kept = orjson.loads(orjson.dumps(decisive_values(load())))
    assert not decisive_changes(kept, load("name=other", "data.workers=0", "data.train=[b.jsonl]"))
    changed = load("tune.rank=8", "tune.targets=[q_proj]")
    assert decisive_changes(kept, changed) == [
        "tune.rank: 16 became 8",
        "tune.targets: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj] "
        "became [q_proj]",
    ]


def test_an_option_that_did_not_exist_is_as_it_was_at_its_default(load: Load):
    new = ("tune.targets", "model.compile", "data.augmentation.ops", "schedule.warmup_ratio")
    kept = {key: it for key, it in decisive_values(load()).items() if key not in new}
    assert not decisive_changes(kept, load())
    changed = load("model.compile=language")
    assert decisive_changes(kept, changed) == ["model.compile: off became language"]


def test_the_lists_of_harmless_options_name_options_that_exist():
    assert options().keys() >= HARMLESS_KEYS | LENGTH_KEYS
    assert all(any(key.startswith(section) for key in options()) for section in HARMLESS_SECTIONS)
