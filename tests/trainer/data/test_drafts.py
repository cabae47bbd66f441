"""JPEGs that are decoded smaller give the same sample, with nearly the same patches."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image, ImageOps
from pydantic import ValidationError

from trainer.config.augmentation import AugmentationConfig
from trainer.config.schema import DataConfig
from trainer.data.encoded import ImagePolicy
from trainer.data.errors import RecordError, Source
from trainer.data.gallery import Gallery
from trainer.data.images import decode_image
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import Sample

Load = Callable[..., Preprocessing]
POLICY = ImagePolicy(max_source_pixels=10_000_000, allow_remote=False)
ON_ITS_SIDE = 6  # EXIF orientation


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A picture with soft structure in both directions, as photos have."""
    across = Image.radial_gradient("L").resize((1203, 901))
    down = ImageOps.invert(Image.linear_gradient("L").resize((1203, 901)))
    return Image.merge("RGB", (across, down, ImageOps.flip(down)))


def sample_of(preprocessing: Preprocessing, folder: Path, data: bytes, kind: str) -> Sample:
    (folder / f"photo.{kind.lower()}").write_bytes(data)
    objects = [{"bbox_2d": [100, 50, 400, 700], "desc": "a thing"}]
    record = {"images": [f"photo.{kind.lower()}"], "objects": objects}
    path = folder / "dense.jsonl"
    path.write_bytes(orjson.dumps(record) + b"\n")
    dataset = Dataset((index_file(path, cache_dir=folder / "cache"),))
    return preprocessing.encode(Records.of(dataset, preprocessing.options)[0])


@pytest.mark.parametrize("orientation", [1, ON_ITS_SIDE])
def test_words_and_grids_are_those_of_the_whole_picture(
    load: Load,
    tmp_path: Path,
    photo: Image.Image,
    encoded: Callable[..., bytes],
    orientation: int,
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo, "JPEG", quality=90, exif=exif)
    whole = load("instruct", max_pixels=65_536)
    drafted = load("instruct", max_pixels=65_536, jpeg_draft=True)
    expected, found = (sample_of(it, tmp_path, data, "JPEG") for it in (whole, drafted))
    assert np.array_equal(found.input_ids, expected.input_ids)
    assert np.array_equal(found.labels, expected.labels)
    assert expected.image_grid_thw is not None
    assert expected.patches is not None
    assert found.patches is not None
    assert found.image_grid_thw is not None
    assert np.array_equal(found.image_grid_thw, expected.image_grid_thw)
    apart = np.abs(found.patches.astype(int) - expected.patches)
    assert apart.max() > 0
    assert apart.mean() < 2


def test_only_as_much_is_left_out_as_nobody_needs(photo: Image.Image, encoded: Callable):
    data = encoded(photo, "JPEG")
    assert decode_image(data, POLICY, needed=(500, 300)).size == (602, 451)
    assert decode_image(data, POLICY, needed=(150, 110)).size == (151, 113)
    assert decode_image(data, POLICY, needed=(1203, 901)).size == (1203, 901)


def test_other_formats_are_decoded_whole(
    load: Load, tmp_path: Path, photo: Image.Image, encoded: Callable[..., bytes]
):
    data = encoded(photo, "PNG")
    whole, drafted = (
        sample_of(load("instruct", max_pixels=65_536, jpeg_draft=on), tmp_path, data, "PNG")
        for on in (False, True)
    )
    assert whole.patches is not None
    assert drafted.patches is not None
    assert np.array_equal(whole.patches, drafted.patches)


def test_a_broken_jpeg_is_as_broken_in_a_draft(
    load: Load, photo: Image.Image, encoded: Callable[..., bytes], tmp_path: Path
):
    preprocessing = load("instruct", jpeg_draft=True)
    gallery = Gallery(POLICY, preprocessing.picture_rule, preprocessing.room, draft=True)
    (tmp_path / "cut.jpg").write_bytes(encoded(photo, "JPEG")[:5_000])
    with pytest.raises(RecordError, match="not decodable"):
        gallery.look(Source(str(tmp_path / "a.jsonl"), 1, 0), ["cut.jpg"], 0)


def test_drafts_beside_augmentation_are_refused():
    flip = AugmentationConfig.model_validate({"ops": [{"name": "flip"}]})
    with pytest.raises(ValidationError, match="full size"):
        DataConfig(train=("a.jsonl",), jpeg_draft=True, augmentation=flip)
