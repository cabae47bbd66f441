"""Every format people have is recognised, read, converted and rendered."""

import shutil
from pathlib import Path

import pytest

from tests.trainer.data.conftest import Load
from tests.trainer.data.formats.samples import FORMATS, SAMPLES, contents, read_file
from trainer.data.convert import Reading, convert
from trainer.data.formats.recognise import FormatName
from trainer.data.records import TextRecord
from trainer.data.samples import IGNORED

RECORDS = {
    "native.jsonl": 5,
    "openai.jsonl": 2,
    "llava.json": 3,
    "swift.jsonl": 3,
    "dense.jsonl": 3,
    "instruction.csv": 3,
    "instruction.parquet": 2,
}


def convert_quietly(source: Path, target: Path) -> None:
    done = convert(str(source), target, Reading(), force=False, progress=lambda *_: None)
    assert not done.problems


@pytest.mark.parametrize(("name", "expected"), FORMATS.items())
def test_a_file_is_recognised_and_read(name: str, expected: FormatName):
    found, records = read_file(SAMPLES / name)
    assert found == expected
    assert len(records) == RECORDS[name]


@pytest.mark.parametrize("name", FORMATS)
def test_converting_gives_equal_records(name: str, tmp_path: Path):
    folder = shutil.copytree(SAMPLES, tmp_path / "samples")
    _, before = read_file(folder / name)
    convert_quietly(folder / name, folder / "converted.jsonl")
    found, after = read_file(folder / "converted.jsonl")
    assert contents(after) == contents(before)
    assert found == ("dense" if name == "dense.jsonl" else "native")


@pytest.mark.parametrize("name", FORMATS)
def test_a_converted_file_elsewhere_still_finds_its_images(name: str, tmp_path: Path, load: Load):
    (tmp_path / "deep").mkdir()
    convert_quietly(SAMPLES / name, tmp_path / "deep" / "converted.jsonl")
    _, records = read_file(tmp_path / "deep" / "converted.jsonl")
    preprocessing = load()
    samples = [
        preprocessing.encode(record)
        for record in records
        if not isinstance(record, TextRecord)  # which is for base models
    ]
    assert all(sample.target_tokens for sample in samples)
    assert any(sample.patches is not None for sample in samples)


TRAINED = {
    "native.jsonl": [
        "Red.<|im_end|>",
        "Hello.<|im_end|>",
        "Here: [250, 167, 750, 833], its corner [250, 125]<|im_end|>",
        "Two.<|im_end|>",
    ],
    "llava.json": [
        "Red.<|im_end|>A square.<|im_end|>",
        "The colour.<|im_end|>",
        "Hello.<|im_end|>",
    ],
    "swift.jsonl": [
        "[250, 167, 750, 833]<|im_end|>",
        "It is at [250, 125, 750, 625], once more at [500, 500]<|im_end|>",
        "Hello.<|im_end|>",
    ],
    "dense.jsonl": [
        '{"图片_1": [{"bbox_2d": [250, 167, 750, 833], "desc": "方块/颜色:红"}, '
        '{"quad": [0, 0, 500, 0, 500, 667, 0, 667], "desc": "标签/形状:四边形"}]}<|im_end|>',
        '{"图片_1": [{"line": [0, 0, 164, 417, 625, 417], "desc": "光纤/状态:正常"}]}<|im_end|>',
        '{"图片_1": []}<|im_end|>',
    ],
    "instruction.csv": ["Red.<|im_end|>", "yes<|im_end|>", "Both.<|im_end|>"],
}


@pytest.mark.parametrize("name", TRAINED)
def test_what_is_trained_is_the_answer(name: str, load: Load):
    preprocessing = load()
    _, records = read_file(SAMPLES / name)
    samples = [preprocessing.encode(it) for it in records if not isinstance(it, TextRecord)]
    trained = [sample.labels[sample.labels != IGNORED] for sample in samples]
    assert [preprocessing.tokenizer.decode(ids) for ids in trained] == TRAINED[name]


def test_an_image_stands_where_its_marker_stood(load: Load):
    preprocessing = load()
    _, records = read_file(SAMPLES / "llava.json")
    text = preprocessing.renderer.render(records[1]).text  # type: ignore[arg-type]
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    assert f"user\n{image}{image}What differs?<|im_end|>" in text


@pytest.mark.parametrize("name", ["swift.jsonl", "dense.jsonl"])
def test_a_question_about_places_has_its_answer(name: str, load: Load):
    preprocessing = load()
    _, records = read_file(SAMPLES / name)
    question = preprocessing.question(records[0])
    assert question.truth == TRAINED[name][0].removesuffix("<|im_end|>")
    assert question.prompt.endswith("assistant\n")
