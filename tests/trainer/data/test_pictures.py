"""Visual tokens from width and height alone equal those of the real image processor."""

import random
from pathlib import Path
from typing import Any

import pytest

from trainer.config.schema import DataConfig, ModelConfig
from trainer.data.pictures import picture_rule
from trainer.data.preprocessing import Preprocessing


@pytest.mark.parametrize("limits", [{}, {"min_pixels": 40_000, "max_pixels": 90_000}])
def test_patches_of_any_size_are_those_of_the_image_processor(
    tiny_checkpoint: Path, limits: dict[str, Any]
):
    data = DataConfig(train=("x.jsonl",), **limits)
    processor = Preprocessing.load(ModelConfig(path=str(tiny_checkpoint)), data).image_processor
    rule = picture_rule(tiny_checkpoint, data)
    sizes = random.Random(0)
    for _ in range(2_000):
        width = sizes.randint(1, 3_000)
        height = sizes.randint(-(-width // 200), min(width * 200, 3_000))
        expected = processor.get_number_of_image_patches(height, width)
        assert rule.patches(width, height) == expected, (width, height)
        assert rule.visual_tokens(width, height) == expected // processor.merge_size**2


def test_without_a_checkpoint_the_rule_of_qwen3_vl_is_taken():
    rule = picture_rule(None, DataConfig(train=("x.jsonl",)))
    assert rule.visual_tokens(1024, 512) == 32 * 16


def test_broken_processor_settings_leave_the_default(tmp_path: Path):
    (tmp_path / "preprocessor_config.json").write_text("[not json")
    (tmp_path / "processor_config.json").write_text('{"image_processor": {"patch_size": 14}}')
    assert picture_rule(tmp_path, DataConfig(train=("x.jsonl",))).patch == 14
