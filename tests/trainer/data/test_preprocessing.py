"""Records become what the model reads: tokens, patches, grids, and files beside the result."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from trainer.config.model import ModelConfig
from trainer.config.schema import DataConfig
from trainer.data.batch import Batch, Window
from trainer.data.errors import DataError, OverLong, RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat
from trainer.data.preprocessing import Preprocessing
from trainer.data.samples import IGNORED, Sample, Skipped, collate

Load = Callable[..., Preprocessing]
Picture = Callable[..., Image.Image]
DataUri = Callable[..., str]
CPU = torch.device("cpu")


def record(*images: str, text: str = "What?", response: str = "A dog.") -> dict[str, Any]:
    pictures = [{"type": "image", "image": image} for image in images]
    content = [*pictures, {"type": "text", "text": text}]
    return {"messages": [{"role": "user", "content": content}], "response": response}


def encode(preprocessing: Preprocessing, value: dict[str, Any]) -> Sample:
    source = Source("/no/d.jsonl", 3, 9)
    return preprocessing.encode(parse_record(orjson.dumps(value), source, RecordFormat("native")))


def batch_of(preprocessing: Preprocessing, *samples: Sample) -> Batch:
    return Batch.from_arrays(collate(samples, [], preprocessing.pad_id))


@pytest.mark.parametrize("name", ["instruct", "qwen2_vl"])
@pytest.mark.parametrize("size", [(64, 64), (333, 517), (10, 1500), (1, 1)])
def test_patches_normalised_on_the_device_equal_the_image_processors(
    load: Load,
    checkpoints: dict[str, Path],
    picture: Picture,
    data_uri: DataUri,
    name: str,
    size: Any,
):
    preprocessing, image = load(name), picture(*size)
    sample = encode(preprocessing, record(data_uri(image)))
    processor = AutoImageProcessor.from_pretrained(checkpoints[name], backend="pil")
    expected = processor(images=[image], return_tensors="pt")
    batch = batch_of(preprocessing, sample)
    inputs = batch.model_inputs(preprocessing, CPU, torch.float32)
    assert sample.patches is not None
    assert sample.patches.dtype == np.uint8
    assert inputs["pixel_values"].dtype == torch.float32
    torch.testing.assert_close(inputs["pixel_values"], expected["pixel_values"], rtol=0, atol=1e-6)
    assert inputs["image_grid_thw"].tolist() == expected["image_grid_thw"].tolist()


def test_a_batch_with_images_of_several_sizes_and_texts_gives_each_sample_its_own_logits(
    load: Load, tiny_checkpoint: Path, picture: Picture, data_uri: DataUri
):
    preprocessing = load("instruct")
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).eval()
    two = record(data_uri(picture(70, 90)), data_uri(picture(40, 40)), response="Two.")
    samples = [
        encode(preprocessing, value) for value in (record(data_uri(picture())), record(), two)
    ]
    together = batch_of(preprocessing, *samples)
    assert (together.samples, together.images) == (3, 3)
    with torch.no_grad():
        logits = model(**together.model_inputs(preprocessing, CPU, torch.float32)).logits
        for row, sample in enumerate(samples):
            alone = batch_of(preprocessing, sample).model_inputs(preprocessing, CPU, torch.float32)
            expected = model(**alone).logits[0]
            torch.testing.assert_close(logits[row, : len(expected)], expected, rtol=0, atol=2e-5)


def test_placeholders_are_expanded_from_the_grid_and_never_trained(
    load: Load, picture: Picture, data_uri: DataUri
):
    preprocessing = load("instruct")
    sample = encode(preprocessing, record(data_uri(picture(96, 64)), data_uri(picture(32, 32))))
    visual = sample.input_ids == preprocessing.image_token_id
    assert sample.image_grid_thw is not None
    assert sample.image_grid_thw.tolist() == [[1, 4, 6], [1, 2, 2]]
    assert visual.sum() == 4 * 6 // 4 + 1
    assert (visual == sample.mm_token_type_ids.astype(bool)).all()
    assert (sample.labels[visual] == IGNORED).all()


def test_pictures_lie_where_the_data_file_lies(
    load: Load, picture: Picture, encoded: Callable[..., bytes], tmp_path: Path
):
    (tmp_path / "a.png").write_bytes(encoded(picture()))
    line = orjson.dumps(record("a.png"))
    source = Source(str(tmp_path / "d.jsonl"), 1, 0)
    found = load("instruct").encode(parse_record(line, source, RecordFormat("native")))
    assert found.image_grid_thw is not None
    with pytest.raises(RecordError, match=r"d\.jsonl:3 .*: image 1 of 1: no file 'a\.png'"):
        encode(load("instruct"), record("a.png"))


def test_pixel_limits_shrink_and_enlarge(load: Load, picture: Picture, data_uri: DataUri):
    uri = data_uri(picture(256, 256))
    small = encode(load("instruct", max_pixels=64 * 64), record(uri))
    large = encode(load("instruct", min_pixels=512 * 512), record(uri))
    assert (small.mm_token_type_ids.sum(), large.mm_token_type_ids.sum()) == (4, 256)


def test_contradicting_pixel_limits_are_refused(tiny_checkpoint: Path):
    model = ModelConfig(path=str(tiny_checkpoint))
    with pytest.raises(DataError, match=r"set both data\.min_pixels and data\.max_pixels"):
        Preprocessing.load(model, DataConfig(train=("x",), max_pixels=100))


def test_an_over_long_sample_is_named_with_its_length_and_never_cut(
    load: Load, picture: Picture, data_uri: DataUri
):
    preprocessing = load("instruct", max_length=32)
    with pytest.raises(OverLong, match=r"at least \d+ tokens after 1 of 1 images"):
        encode(preprocessing, record(data_uri(picture(320, 320))))
    with pytest.raises(OverLong, match=r"\d+ tokens, data\.max_length is 32"):
        encode(preprocessing, record(text="word " * 50))
    with pytest.raises(OverLong, match=r"text of 500000\d\d characters"):
        encode(preprocessing, record(text="x" * 50_000_000))


def test_a_sample_of_exactly_the_limit_is_taken(load: Load, picture: Picture, data_uri: DataUri):
    value = record(data_uri(picture(96, 96)))
    length = len(encode(load("instruct"), value).input_ids)
    assert len(encode(load("instruct", max_length=length), value).input_ids) == length
    with pytest.raises(OverLong):
        encode(load("instruct", max_length=length - 1), value)


def test_ten_thousand_images_are_refused_before_any_is_decoded(
    load: Load, picture: Picture, data_uri: DataUri
):
    broken_later = data_uri(picture(64, 64))[:-200]  # its header is whole, its pixels are not
    with pytest.raises(OverLong, match="10000 images"):
        encode(load("instruct"), record(*[broken_later] * 10_000))


def test_images_in_a_turn_that_shows_none_are_refused(load: Load):
    messages = [
        {"role": "system", "content": [{"type": "image", "image": "a.png"}]},
        {"role": "user", "content": "q"},
    ]
    with pytest.raises(RecordError, match="1 images, but the chat template made 0 places"):
        encode(load("instruct"), {"messages": messages, "response": "a"})


def test_a_base_model_sees_images_in_its_prompt(load: Load, picture: Picture, data_uri: DataUri):
    preprocessing = load("base")
    sample = encode(preprocessing, record(data_uri(picture(32, 32))))
    text = preprocessing.tokenizer.decode(sample.input_ids)
    assert text == "<|vision_start|><|image_pad|><|vision_end|>What?\nA dog.<|im_end|>"


def test_variants_are_read_off_the_template(
    load: Load, tiny_checkpoint: Path, base_checkpoint: Path
):
    assert [load(name).variant for name in ("instruct", "thinking", "base", "qwen2_vl")] == [
        *("instruct", "thinking", "base", "instruct")
    ]
    data = DataConfig(train=("x",))
    asked = Preprocessing.load(ModelConfig(path=str(tiny_checkpoint), variant="base"), data)
    assert asked.variant == "base"
    with pytest.raises(DataError, match="has no chat template"):
        Preprocessing.load(ModelConfig(path=str(base_checkpoint), variant="instruct"), data)


def test_a_missing_checkpoint_is_a_data_error(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be loaded"):
        Preprocessing.load(ModelConfig(path=str(tmp_path)), DataConfig(train=("x",)))


def test_batches_are_padded_on_the_right_and_count_their_tokens(load: Load):
    preprocessing = load("instruct")
    short, long = (encode(preprocessing, record(response=text)) for text in ("a", "b " * 20))
    batch = batch_of(preprocessing, short, long)
    width = len(long.input_ids)
    rest = slice(len(short.input_ids), None)
    assert batch.input_ids.shape == (2, width)
    assert (batch.input_ids[0, rest] == preprocessing.pad_id).all()
    assert (batch.labels[0, rest] == IGNORED).all()
    assert batch.attention_mask is not None
    assert batch.attention_mask[0, rest].sum() == 0
    assert batch.tokens == len(short.input_ids) + width
    assert batch.positions == 2 * width
    assert batch.target_tokens == short.target_tokens + long.target_tokens
    assert batch.nbytes == 4 * 2 * width * 8
    assert "pixel_values" not in batch.model_inputs(preprocessing, CPU, torch.float32)


def test_a_batch_without_any_sample_is_legal():
    skipped = (Skipped(Source("f", 1, 0), "broken"),)
    batch = Batch.from_arrays(collate([], skipped, 0))
    assert (batch.samples, batch.target_tokens, batch.tokens, batch.images) == (0, 0, 0, 0)
    window = Window.of(3, 1, [batch, batch])
    assert window.totals.skipped == skipped * 2
    assert (window.target_tokens, window.totals.samples, window.totals.notes) == (0, 0, {})


@pytest.mark.parametrize("name", ["instruct", "thinking", "base", "qwen2_vl"])
def test_what_is_saved_prepares_inputs_the_same_way(
    load: Load, tmp_path: Path, picture: Picture, name: str
):
    preprocessing = load(name, max_pixels=128 * 128)
    preprocessing.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.chat_template == preprocessing.tokenizer.chat_template
    assert tokenizer.encode("a<|im_end|>日") == preprocessing.tokenizer.encode("a<|im_end|>日")
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    expected = processor(images=[picture(300, 200)], return_tensors="pt")["pixel_values"]
    patches, _ = preprocessing.cutting.patches(picture(300, 200), (300, 200))
    found = preprocessing.normalize_patches(torch.from_numpy(patches), torch.float32)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    description = json.loads((tmp_path / "preprocessing.json").read_text())
    assert description["max_pixels"] == 128 * 128
    assert description["variant"] == preprocessing.variant
    assert (description["chat_template_sha256"] is None) == (name == "base")
    assert description["control_ids"]["<|im_end|>"] == preprocessing.eos_id


def test_stored_limits_in_the_older_spelling_are_replaced_too(
    older_checkpoint: Path, tmp_path: Path, picture: Picture, data_uri: DataUri
):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in older_checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    del settings["size"]
    older = settings | {"min_pixels": 3136, "max_pixels": 12845056}
    (folder / "preprocessor_config.json").write_text(json.dumps(older))
    data = DataConfig(train=("x",), max_pixels=56 * 56, min_pixels=28 * 28)
    preprocessing = Preprocessing.load(ModelConfig(path=str(folder)), data)
    sample = encode(preprocessing, record(data_uri(picture(400, 400))))
    assert sample.mm_token_type_ids.sum() == 4
    (tmp_path / "saved").mkdir()
    preprocessing.save(tmp_path / "saved")
    processor = AutoImageProcessor.from_pretrained(tmp_path / "saved", backend="pil")
    assert dict(processor.size) == {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
