"""What is said of records that do not fit their format: what, where, and what to do."""

from typing import Any

import pytest

from tests.trainer.data.formats.samples import parse
from trainer.data.errors import RecordError
from trainer.data.formats.recognise import FormatName


def talk(question: str, answer: str = "a", **beside: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **beside}


def llava(*turns: tuple[str, str], **beside: Any) -> dict[str, Any]:
    return {"conversations": [{"from": who, "value": what} for who, what in turns], **beside}


def found(*objects: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"images": ["a.png"], "objects": list(objects), **others}


BOX = {"bbox_2d": [0, 0, 1, 1], "desc": "x"}
CASES: list[tuple[FormatName, dict[str, Any], str]] = [
    (
        "swift",
        talk("<image>x", images=["a", "b"]),
        "2 images but 1 <image> marker; add a marker or remove an image",
    ),
    (
        "swift",
        talk("<image><image>x", images=["a"]),
        "1 image but 2 <image> markers; remove a marker or add an image",
    ),
    ("swift", talk("x", "<image>", images=["a"]), "an answer with <image>"),
    (
        "swift",
        talk("<image><bbox>", images=["a"], objects={"bbox": []}),
        "0 boxes but 1 <bbox> marker; remove a marker or add a box",
    ),
    (
        "swift",
        talk("<image>", images=["a"], objects={"ref": ["b"]}),
        "1 name but 0 <ref-object> markers",
    ),
    (
        "swift",
        talk("<image><bbox>", images=["a"], objects={"bbox": [[1, 2, 3]]}),
        r"objects.bbox\[0\]: a box has 4 numbers, not 3",
    ),
    (
        "swift",
        talk("<image><bbox>", images=["a"], objects={"bbox": [[1, 2, 3, "4"]]}),
        "holds a string",
    ),
    (
        "swift",
        talk("<image><bbox>", images=["a"], objects={"bbox": [[1, 2]], "image_id": [1]}),
        "names image 1, of 1 images",
    ),
    (
        "swift",
        talk("<image><bbox>", images=["a"], objects={"bbox": [[1, 2]], "bbox_type": "norm100"}),
        "bbox_type is 'norm100'; use one of real, norm1",
    ),
    ("swift", talk("<image>", images=["a"], objects=[1]), "`objects` is a list"),
    ("swift", talk("x", images=["a"], videos=["v"]), "`videos`: only texts and images"),
    ("swift", talk("<image>", images=["a"], rejected_response="b"), "is for preferences"),
    ("swift", {"messages": [{"role": "tool_call", "content": "{}"}]}, "has the role 'tool_call'"),
    ("llava", llava(("human", "x")), "no answer to train"),
    ("llava", llava(("human", "<image>x"), ("gpt", "a")), "0 images but 1 <image> marker"),
    ("llava", llava(("bot", "x")), r"conversations\[0\] is from 'bot'; use one of human"),
    ("llava", {"conversations": []}, "the conversation is empty"),
    ("llava", {"conversations": [{"from": "human"}]}, "value is missing or null"),
    ("llava", llava(("human", "x"), ("gpt", "a"), image=3), "under `image` is a number"),
    ("dense", found(BOX, images=["a", "b"]), "2 images in a dense record"),
    ("dense", found({**BOX, "desc": " "}), r"objects\[0\].desc is empty"),
    ("dense", found({"desc": "x"}), r"objects\[0\] has only `desc`; write one of bbox_2d"),
    ("dense", found({**BOX, "line": [0, 0, 1, 1]}), "has `bbox_2d` and `line`"),
    ("dense", found({"line": [0, 0, 1], "desc": "x"}), "a line has an even count"),
    ("dense", found({"bbox_2d": [0, 0, 1, True], "desc": "x"}), "holds a boolean"),
    ("dense", found(BOX, width=0, height=4), "`width` is 0"),
    ("dense", found(BOX, width=4), "`height` is missing or null"),
    ("instruction", {"question": "q", "answer": ""}, "no answer to train"),
    ("instruction", {"question": "", "answer": "a"}, "no question"),
    ("instruction", {"question": "q", "answer": "a", "output": "b"}, "`answer` and `output` could"),
    ("instruction", {"question": "q", "answer": 3}, "`answer` is a number"),
    ("native", talk("<image>", images=["a"]), "it looks like swift, the file like native"),
    ("native", {"question": "q", "answer": "a"}, "it looks like instruction"),
    ("native", {"prompt": "q", "response": "a", "system": "s"}, "it looks like instruction"),
    ("swift", llava(("human", "x"), ("gpt", "a")), "it looks like llava, the file like swift"),
    ("dense", talk("x"), "it looks like native, the file like dense"),
    ("llava", found(BOX), "it looks like dense, the file like llava"),
]


@pytest.mark.parametrize(("name", "value", "what"), CASES)
def test_what_is_wrong_is_said_with_its_place(name: FormatName, value: dict[str, Any], what: str):
    with pytest.raises(RecordError, match=what) as refused:
        parse(value, name)
    assert str(refused.value).startswith("train.jsonl:17 (byte 4242): ")


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        ({"bbox_2d": [0, 0, 1]}, "a box has 4 numbers"),
        ({"bbox_2d": [0, 0, 1, 1], "image": 1}, "a mark in image 1, of 1 images"),
        ({"bbox_2d": [0, 0, 1, 1], "image": -1}, "image is a number; write an image's number"),
        ({"bbox_2d": [0, 0, 1, 1], "unit": "cm"}, "has the unit 'cm'"),
        ({"point_2d": [1]}, "no list of 2 numbers"),
        ({}, "has only `type`"),
    ],
)
def test_a_mark_is_checked_like_everything_else(mark: dict[str, Any], what: str):
    parts = [{"type": "image", "image": "a"}, {"type": "mark", **mark}]
    record = {"messages": [{"role": "user", "content": parts}], "response": "a"}
    with pytest.raises(RecordError, match=what):
        parse(record, "native")


def test_columns_are_named_where_they_are_not_recognised():
    value = {"ask": "q", "reply": "a", "who": "be brief", "question": "not this"}
    named = {"prompt": "ask", "response": "reply", "system": "who"}
    record = parse(value, "instruction", **named)
    assert [turn["content"] for turn in record.messages] == ["be brief", "q", "a"]
    with pytest.raises(RecordError, match=r"no column `ask`.* name it in data.columns.prompt"):
        parse({"reply": "a"}, "instruction", **named)


def test_a_box_marker_without_objects_is_text():
    record = parse(talk("<image>say <bbox>", images=["a"]), "swift")
    assert record.messages[0]["content"][1] == {"type": "text", "text": "say <bbox>"}
