"""Whatever a reader accepts is rendered, labelled and collated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trainer.data.conftest import Load
from tests.trainer.data.formats.samples import SAMPLES
from trainer.data.errors import RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import FormatName, RecordFormat
from trainer.data.records import TextRecord
from trainer.data.samples import IGNORED, collate

HERE = Source(str(SAMPLES / "any.jsonl"), 1, 0)
PIECES = [
    "Red.",
    "<image>",
    "<bbox>",
    "<ref-object>",
    "<|im_end|>",
    "<|image_pad|>",
    "图片",
    "\n",
    " ",
]
texts = st.lists(st.sampled_from([*PIECES, "a word "]), max_size=5).map("".join)
images = st.lists(st.sampled_from(["red.png", "blue.png"]), max_size=3)
across, down = st.integers(0, 64), st.integers(0, 48)
boxes = st.tuples(across, down, across, down).map(list)


@st.composite
def marked(draw: st.DrawFn, text: st.SearchStrategy[str], marker: str, count: int) -> str:
    """A text with a marker some times over, usually as often as is right."""
    right = draw(st.integers(0, 9)) > 0
    return marker * (count if right else draw(st.integers(0, 3))) + draw(text)


plain = texts.map(lambda text: text.replace("<image>", "").replace("<bbox>", ""))


@st.composite
def swift(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(images)
    places = draw(st.lists(boxes, max_size=2)) if named else []
    turns = [
        {"role": "user", "content": draw(marked(plain, "<image>", len(named)))},
        {"role": "assistant", "content": draw(marked(plain, "<bbox>", len(places)))},
    ]
    value: dict[str, Any] = {"messages": turns, "images": named}
    return {**value, "objects": {"bbox": places}} if places else value


@st.composite
def llava(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(images)
    turns = [{"from": "human", "value": draw(marked(plain, "<image>", len(named)))}]
    turns.append({"from": "gpt", "value": draw(plain)})
    for _ in range(draw(st.integers(0, 2))):
        turns += [{"from": "human", "value": draw(plain)}, {"from": "gpt", "value": draw(plain)}]
    system = {"system": draw(plain)} if draw(st.booleans()) else {}
    return {"image": named, "conversations": turns, **system}


@st.composite
def dense(draw: st.DrawFn) -> dict[str, Any]:
    line = st.lists(st.tuples(across, down), min_size=2, max_size=4)
    kinds = st.one_of(
        boxes.map(lambda box: {"bbox_2d": box}),
        st.tuples(*[across, down] * 4).map(lambda quad: {"quad": list(quad)}),
        line.map(lambda points: {"line": [value for point in points for value in point]}),
    )
    objects = [{**draw(kinds), "desc": draw(texts)} for _ in range(draw(st.integers(0, 3)))]
    size = {"width": 64, "height": 48} if draw(st.booleans()) else {}
    return {"images": ["red.png"], "objects": objects, **size, "summary": draw(texts)}


@st.composite
def native(draw: st.DrawFn) -> dict[str, Any]:
    part = st.one_of(
        texts.map(lambda text: {"type": "text", "text": text}),
        texts.map(lambda text: {"type": "name", "text": text}),
        st.just({"type": "image", "image": "red.png"}),
        boxes.map(lambda box: {"type": "mark", "bbox_2d": box}),
    )
    asked = draw(st.one_of(texts, st.lists(part, max_size=4)))
    others = draw(st.sampled_from([{}, {"thinking": "t"}, {"tools": [{"type": "function"}]}]))
    return {"messages": [{"role": "user", "content": asked}], "response": draw(texts), **others}


@st.composite
def instruction(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(images)
    question = draw(marked(plain, "<image>", len(named) if draw(st.booleans()) else 0))
    return {"question": question, "answer": draw(texts), "image": named, "system": draw(texts)}


MAKERS: dict[FormatName, Callable[[], st.SearchStrategy[dict[str, Any]]]] = {
    "native": native,
    "llava": llava,
    "swift": swift,
    "dense": dense,
    "instruction": instruction,
}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(
        st.one_of(
            st.fixed_dictionaries({"text": texts}),
            st.fixed_dictionaries({"prompt": texts, "response": texts}),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_a_base_model_reads_becomes_a_batch(load: Load, values: list[dict[str, str]]):
    preprocessing = load("base", control_tokens="escape")
    samples = []
    for value in values:
        try:
            record = parse_record(orjson.dumps(value), HERE, RecordFormat("native"))
            samples.append(preprocessing.encode(record))
        except RecordError as error:
            # One token alone has nothing before it: there is nothing to train.
            assert not "".join(value.values()) or "no token to train" in error.what  # noqa: PT017
    arrays = collate(samples, [], preprocessing.pad_id)
    assert all((row != IGNORED).any() for row in arrays.labels)


@pytest.mark.parametrize("variant", ["instruct", "thinking", "qwen2_vl"])
@pytest.mark.parametrize("name", MAKERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_accepted_becomes_a_batch(
    name: FormatName, variant: str, load: Load, data: st.DataObject
):
    values = data.draw(st.lists(MAKERS[name](), min_size=1, max_size=3))
    preprocessing = load(variant, control_tokens="escape")
    samples = []
    for value in values:
        try:
            record = parse_record(orjson.dumps(value), HERE, RecordFormat(name))
        except RecordError:
            continue
        assert not isinstance(record, TextRecord)
        samples.append(preprocessing.encode(record))
    arrays = collate(samples, [], preprocessing.pad_id)
    assert len(arrays.input_ids) == len(samples)
    assert all((row != IGNORED).any() for row in arrays.labels)
    visual = int(arrays.mm_token_type_ids.sum())
    patches = 0 if arrays.patches is None else len(arrays.patches)
    assert visual * preprocessing.image_processor.merge_size**2 == patches


def test_the_pictures_are_where_the_records_say():
    assert (Path(HERE.file).parent / "red.png").is_file()
