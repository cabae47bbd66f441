"""What is trained on a picture that was changed: its pixels, and its places in words."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.augment.patches import options, surely
from trainer.config.augmentation import AugmentationConfig
from trainer.data.dense.group import DenseGroup
from trainer.data.errors import OverLong, RecordError, Source
from trainer.data.objects import MarkedObject, Shape
from trainer.data.preprocessing import Preprocessing
from trainer.data.records import ChatRecord, DenseRecord, Mark
from trainer.data.samples import IGNORED, Sample
from trainer.data.variation import Variation

Load = Callable[..., Preprocessing]
Make = Callable[..., Any]
SOURCE = Source("/no/d.jsonl", 3, 9)
FLIP = options(surely("flip"))


def varied(settings: AugmentationConfig, epoch: int = 0, sample: int = 0) -> Variation:
    return Variation(settings, 1, epoch, sample)


def chat(*images: str, marks: tuple[Mark, ...] = ()) -> ChatRecord:
    parts: list[dict[str, Any]] = [*({"type": "image"} for _ in images)]
    parts += [{"type": "mark"} for _ in marks]
    parts.append({"type": "text", "text": "What?"})
    return ChatRecord(
        source=SOURCE,
        messages=({"role": "user", "content": parts},),
        images=images,
        response="A dog.",
        thinking=None,
        tools=None,
        marks=marks,
    )


def dense(image: str, *objects: MarkedObject, size: tuple[int, int] | None = None) -> DenseRecord:
    return DenseRecord(source=SOURCE, image=image, objects=objects, size=size, summary=None)


def same(one: Sample, other: Sample) -> bool:
    assert one.patches is not None
    assert other.patches is not None
    return np.array_equal(one.input_ids, other.input_ids) and np.array_equal(
        one.patches, other.patches
    )


def answer(preprocessing: Preprocessing, sample: Sample) -> Any:
    ids = sample.input_ids[sample.labels != IGNORED].tolist()
    return json.loads(str(preprocessing.tokenizer.decode(ids, skip_special_tokens=True)))


def test_a_conversation_is_trained_on_the_changed_picture(
    load: Load, picture: Make, data_uri: Make
):
    preprocessing, image = load("instruct"), picture(96, 64)
    record = chat(data_uri(image))
    flipped = chat(data_uri(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    assert same(preprocessing.encode(record, varied(FLIP)), preprocessing.encode(flipped))
    assert not same(preprocessing.encode(record, varied(FLIP)), preprocessing.encode(record))


def test_every_epoch_sample_and_picture_is_changed_its_own_way_each_time_the_same(
    load: Load, picture: Make, data_uri: Make
):
    preprocessing, uri = load("instruct"), data_uri(picture(64, 64))
    noise = options(surely("noise"))
    made = [
        preprocessing.encode(chat(uri, uri), varied(noise, epoch, sample))
        for epoch, sample in [(0, 0), (1, 0), (0, 1), (0, 0)]
    ]
    assert same(made[0], made[3])
    assert not same(made[0], made[1])
    assert not same(made[0], made[2])
    patches = made[0].patches
    assert patches is not None
    assert not np.array_equal(patches[: len(patches) // 2], patches[len(patches) // 2 :])


def test_places_in_a_dense_answer_follow_the_picture(load: Load, picture: Make, data_uri: Make):
    preprocessing = load("instruct")
    box = MarkedObject(Shape("box", (20, 16, 100, 64)), "dog")
    line = MarkedObject(Shape("line", (0, 0, 200, 160)), "leash")
    record = dense(data_uri(picture(200, 160)), box, line, size=(200, 160))
    plain = answer(preprocessing, preprocessing.encode(record))
    flipped = answer(preprocessing, preprocessing.encode(record, varied(FLIP)))
    ((plain_box, plain_line),) = plain.values()
    ((flipped_box, flipped_line),) = flipped.values()
    assert plain_box["bbox_2d"] == [100, 100, 500, 400]
    assert flipped_box["bbox_2d"] == [500, 100, 900, 400]
    assert plain_line["line"] == [0, 0, 1000, 1000]
    assert flipped_line["line"] == [1000, 0, 0, 1000]


def test_what_a_crop_drops_is_not_in_the_answer(load: Load, picture: Make, data_uri: Make):
    preprocessing = load("instruct")
    objects = [
        MarkedObject(Shape("box", (x, y, x + 30, y + 30)), f"{x} {y}")
        for x in (5, 85, 165)
        for y in (5, 65, 125)
    ]
    record = dense(data_uri(picture(200, 160)), *objects)
    crop = options(surely("crop", area=0.3, aspect=1, min_coverage=0.9))
    counts = set()
    for sample in range(8):
        made = preprocessing.encode(DenseGroup((record,)), varied(crop, sample=sample))
        (entries,) = answer(preprocessing, made).values()
        counts.add(len(entries))
        assert all(0 <= value <= 1000 for entry in entries for value in entry["bbox_2d"])
    assert max(counts) < 9


def test_a_sentence_keeps_all_its_marks(load: Load, picture: Make, data_uri: Make):
    preprocessing = load("instruct")
    marks = tuple(Mark(Shape("box", (x, 0.1, x + 0.1, 0.3)), unit="norm1") for x in (0.0, 0.9))
    record = chat(data_uri(picture(200, 160)), marks=marks)
    crop = options(surely("crop", area=[0.2, 1], min_objects=0), surely("flip"))
    for sample in range(8):
        made = preprocessing.encode(record, varied(crop, sample=sample))
        text = str(preprocessing.tokenizer.decode(made.input_ids.tolist()))
        first, second = (json.loads(it) for it in re.findall(r"\[[^]]*\]", text))
        assert (first[2], second[0]) == (1000, 0)  # mirrored, and cut at no side
        assert 800 < first[0] < 950
        assert 50 < second[2] < 200


def test_a_wrong_coordinate_is_refused_with_an_augmentation_too(
    load: Load, picture: Make, data_uri: Make
):
    preprocessing, uri = load("instruct"), data_uri(picture(200, 160))
    outside = MarkedObject(Shape("box", (20, 16, 900, 64)), "dog")
    with pytest.raises(RecordError, match="900 lies outside"):
        preprocessing.encode(dense(uri, outside), varied(FLIP))
    with pytest.raises(RecordError, match="width and height are 100 x 80"):
        preprocessing.encode(dense(uri, size=(100, 80)), varied(FLIP))
    mark = Mark(Shape("box", (20, 16, 900, 64)))
    with pytest.raises(RecordError, match="900 lies outside"):
        preprocessing.encode(chat(uri, marks=(mark,)), varied(FLIP))


def test_a_sample_is_as_long_as_its_changed_pictures_make_it(
    load: Load, picture: Make, data_uri: Make
):
    preprocessing, uri = load("instruct", max_length=64), data_uri(picture(64, 64))
    plain = preprocessing.encode(chat(uri))
    double = preprocessing.encode(chat(uri), varied(options(surely("resize", factor=2))))
    assert (double.mm_token_type_ids.sum(), plain.mm_token_type_ids.sum()) == (16, 4)
    with pytest.raises(OverLong):
        preprocessing.encode(chat(uri), varied(options(surely("resize", factor=8))))


def test_text_without_pictures_is_left_as_it_is(load: Load):
    preprocessing = load("instruct")
    made = preprocessing.encode(chat(), varied(FLIP))
    assert np.array_equal(made.input_ids, preprocessing.encode(chat()).input_ids)
    assert made.patches is None
