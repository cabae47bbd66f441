"""Visual tokens from width and height alone equal those of the real image processor."""

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from trainer.config.model import ModelConfig
from trainer.config.schema import DataConfig
from trainer.data.encoded import EncodedBytes, ImagePolicy
from trainer.data.headers import size_by_header
from trainer.data.images import decode_image
from trainer.data.pictures import PictureRule, picture_rule
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


@pytest.mark.parametrize(
    ("patch", "smallest", "largest"),
    [
        (14, 3_136, 12_845_056),  # Qwen2-VL and Qwen2.5-VL
        (14, 200_704, 1_003_520),  # as their model cards suggest
        (16, 65_536, 16_777_216),  # Qwen3-VL
        (16, 4_096, 262_144),
    ],
)
def test_headers_give_the_patches_of_the_image_processor_for_a_thousand_pictures(
    patch: int, smallest: int, largest: int
):
    size = {"shortest_edge": smallest, "longest_edge": largest}
    processor = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size=size)
    rule = PictureRule(patch=patch, merge=2, min_pixels=smallest, max_pixels=largest)
    policy = ImagePolicy(max_source_pixels=10**8, allow_remote=False)
    sizes = random.Random(patch * largest)
    for number in range(1_000):
        width = sizes.randint(1, 6_000)
        height = sizes.randint(-(-width // 200), min(width * 200, 6_000))
        turned = number % 2 == 1
        found = size_by_header(EncodedBytes(jpeg_header(width, height, turned)), policy)
        assert found == ((height, width) if turned else (width, height))
        upright = (found[1], found[0])
        assert rule.patches(*found) == processor.get_number_of_image_patches(*upright), found


@pytest.mark.parametrize(
    ("patch", "smallest", "largest"), [(14, 3_136, 50_176), (16, 4_096, 65_536)]
)
def test_decoded_pictures_have_as_many_patches_as_their_headers_said(
    patch: int, smallest: int, largest: int
):
    size = {"shortest_edge": smallest, "longest_edge": largest}
    processor = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size=size)
    rule = PictureRule(patch=patch, merge=2, min_pixels=smallest, max_pixels=largest)
    policy = ImagePolicy(max_source_pixels=10**8, allow_remote=False)
    sizes = random.Random(patch)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for _ in range(5):
            buffer = io.BytesIO()
            edges = (sizes.randint(1, 700), sizes.randint(4, 500))
            Image.new("L", edges).save(buffer, "JPEG", exif=exif)
            found = size_by_header(EncodedBytes(buffer.getvalue()), policy)
            picture = decode_image(buffer.getvalue(), policy)
            made = processor(images=[picture], return_tensors="np")
            assert found == picture.size
            assert rule.patches(*found) == len(made["pixel_values"])


def jpeg_header(width: int, height: int, turned: bool) -> bytes:
    """A JPEG that says how large it is and how the camera was held; nobody decodes it."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    Image.new("L", (8, 8)).save(buffer, "JPEG", exif=exif)
    data = buffer.getvalue()
    frame = data.index(b"\xff\xc0") + 5  # after marker, length and depth
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]
