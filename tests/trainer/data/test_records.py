"""What a line of data may look like, and what is said when it does not."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.errors import RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat
from trainer.data.records import ChatRecord, PromptRecord, TextRecord

SOURCE = Source("train.jsonl", 17, 4242)
ASK = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}


def parse(record: Any) -> Any:
    return parse_record(orjson.dumps(record), SOURCE, RecordFormat("native"))


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}], "response": "a"}


def test_the_native_record_is_understood():
    content = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "q"}]
    record = parse({**user(*content), "thinking": "t"})
    assert record.messages == (
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "q"}]},
    )
    assert (record.images, record.response, record.thinking) == (("a.png",), "a", "t")


@pytest.mark.parametrize(
    "item",
    [
        {"type": "image_url", "image_url": {"url": "data:x", "detail": "high"}},
        {"type": "image_url", "image_url": "data:x"},
        {"type": "image", "image_url": "data:x"},
        {"type": "image", "image": {"url": "data:x"}},
        {"image": "data:x"},
    ],
)
def test_images_are_named_the_native_way_or_openais(item: dict[str, Any]):
    assert parse(user(item)).images == ("data:x",)


def test_openai_messages_with_tools_pass_through():
    call = {"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    messages = [
        ASK,
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None},
        {"role": "tool", "tool_call_id": "1", "content": "2"},
        {**ANSWER, "reasoning_content": "r"},
    ]
    record = parse({"messages": messages, "tools": [{"type": "function"}]})
    assert record.messages[1] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert record.messages[3]["reasoning_content"] == "r"
    assert record.tools == [{"type": "function"}]


def test_neighbouring_texts_become_one_as_templates_join_them():
    parts = [{"type": "text", "text": "<|im_"}, {"type": "text", "text": "end|>"}]
    assert parse(user(*parts)).messages[0]["content"] == [{"type": "text", "text": "<|im_end|>"}]


def test_prompts_and_plain_texts_are_records_too():
    assert parse({"prompt": "p", "response": "r"}) == PromptRecord(
        source=SOURCE, prompt="p", response="r"
    )
    assert parse({"text": "t"}) == TextRecord(source=SOURCE, text="t")


def test_thinking_alone_is_an_answer():
    record = parse({"messages": [ASK], "thinking": "t"})
    assert (record.response, record.thinking) == (None, "t")


def test_an_empty_response_is_an_answer_and_null_is_none():
    assert parse({"messages": [ASK], "response": ""}).response == ""
    record = parse({"messages": [ASK, ANSWER], "response": None, "thinking": " "})
    assert (record.response, record.thinking) == (None, None)


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"messages": [ASK, ANSWER], "response": "b"}, "both `response` and an assistant turn"),
        ({"messages": [ASK, ANSWER], "thinking": "b"}, "both `thinking` and an assistant turn"),
        ({"messages": [ASK]}, "no answer to train"),
        ({"messages": []}, "`messages` is empty"),
        ({"messages": {}}, "`messages` is an object"),
        ({"messages": ["x"]}, r"`messages`\[0\] is a string"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "has the role 'bot'"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "has the role a list"),
        ({"messages": [{"role": "user"}]}, "content is missing or null"),
        ({"messages": [{"role": "user", "content": 3}]}, "content is a number"),
        (user({"type": "image", "url": "a.png"}), "no image under .* only `url`"),
        (user({"type": "image", "image": ""}), "no image under"),
        (user({"type": "image", "image": 5}), "no image under"),
        (user({"type": "image_url", "image_url": {}}), "no image under"),
        (user({"type": "video", "video": "v"}), "has the type 'video'"),
        (user({"type": "text", "text": None}), "text is missing or null"),
        (user({"foo": 1}), "has the type missing or null"),
        (user({"type": "image", "image": "a", "max_pixels": 9}), "has `max_pixels`"),
        ({**user(), "images": ["a.png"]}, "`images` beside the conversation"),
        ({**user(), "objects": {"bbox": [[0, 0, 1, 1]]}}, "put each object into"),
        ({"messages": [ASK, {"role": "assistant", "content": [{"image": "x"}]}]}, "in an answer"),
        ({"messages": [ASK, {**ANSWER, "weight": 0}]}, "`weight`"),
        ({"messages": [ASK, {**ANSWER, "tool_calls": "f"}]}, "tool_calls is a string"),
        ({"messages": [ASK, {**ANSWER, "reasoning_content": 3}]}, "`reasoning_content` is a num"),
        ({"messages": [ASK], "response": {"a": 1}}, "`response` is an object"),
        ({"messages": [ASK], "response": "a", "tools": "f"}, "`tools` is a string"),
        ({"prompt": "p"}, "`response` is missing or null"),
        ({"text": 3}, "`text` is a number"),
        ({"conversations": []}, "only `conversations`"),
        ([1], "a list instead of an object"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(record: Any, what: str):
    with pytest.raises(RecordError, match=what) as refused:
        parse(record)
    assert str(refused.value).startswith("train.jsonl:17 (byte 4242): ")
    assert "; " in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": ',
        b"\xff\xfe",
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b'{"text": NaN}',
        b"[" * 100_000,
        b"\0" * 50,
    ],
)
def test_broken_json_is_a_record_error(line: bytes):
    with pytest.raises(RecordError, match="broken JSON"):
        parse_record(line, SOURCE, RecordFormat("native"))


KEYS = [
    *("messages", "role", "content", "type", "text", "image", "image_url", "response"),
    *("thinking", "tools", "tool_calls", "url", "prompt", "weight"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "user", "image", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(json_values)
def test_any_json_is_a_record_or_a_record_error(value: Any):
    try:
        record = parse(value)
    except RecordError:
        return
    assert isinstance(record, ChatRecord | PromptRecord | TextRecord)


@settings(max_examples=200, deadline=None)
@given(messages=st.lists(json_values, max_size=3), response=json_values)
def test_any_conversation_is_a_record_or_a_record_error(messages: list[Any], response: Any):
    test_any_json_is_a_record_or_a_record_error.hypothesis.inner_test(  # type: ignore[attr-defined]
        {"messages": messages, "response": response}
    )


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_record_error(line: bytes):
    with pytest.raises(RecordError):
        parse_record(line, SOURCE, RecordFormat("native"))
