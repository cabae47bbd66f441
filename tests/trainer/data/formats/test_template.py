"""Questions, answers and system texts are put together from columns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainer.cli.data.options import named_columns
from trainer.cli.terminal import CommandFailed
from trainer.config.reading import ColumnsConfig
from trainer.data.errors import RecordError, Source
from trainer.data.formats.recognise import RecordFormat, format_of
from trainer.data.records import ChatRecord, PromptRecord, Record

HERE = Source("d.jsonl", 3, 9)


def read(value: dict[str, Any], **columns: str) -> Record:
    return RecordFormat("instruction", ColumnsConfig(**columns)).read(value, HERE)


def test_templates_put_columns_where_they_are_marked():
    value = {"q": "Why?", "facts": ["a", 1], "a": "So.", "why": "It {is}.", "n": None}
    record = read(
        value,
        question_template="Use {facts}:\n{q}{n}",
        answer_template="<think>{why}</think>{a}",
        system_template="Answer in {{braces}}, {a}",
    )
    assert isinstance(record, ChatRecord)
    assert [it["content"] for it in record.messages] == [
        "Answer in {braces}, So.",
        'Use ["a",1]:\nWhy?',
        "<think>It {is}.</think>So.",
    ]


def test_a_template_says_where_the_images_go():
    value = {"q": "What is it?", "answer": "A dog.", "image": ["a.png", "b.png"]}
    record = read(value, question_template="First <image>, then <image>. {q}")
    assert isinstance(record, ChatRecord)
    kinds = [part["type"] for part in record.messages[0]["content"]]
    assert kinds == ["text", "image", "text", "image", "text"]


def test_what_is_not_inside_a_column_is_empty():
    value = {"q": "Who?", "answers": {"text": []}, "more": {"text": ["I"]}}
    record = read(value, question_template="{q}", answer_template="{more.text.0}{answers.text.0}")
    assert record == PromptRecord(source=HERE, prompt="Who?", response="I")


def test_the_other_roles_stay_recognised():
    record = read({"q": "1+1?", "output": "2"}, question_template="{q}")
    assert record == PromptRecord(source=HERE, prompt="1+1?", response="2")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"q": "?", "answer": "a"}, "no column `facts`, only `q`, `answer`"),
        ({"q": "", "facts": None, "answer": "a"}, "no question"),
    ],
)
def test_what_cannot_be_put_together_is_said(value: dict[str, Any], what: str):
    with pytest.raises(RecordError, match=what):
        read(value, question_template="{facts} {q}")


def test_a_file_is_recognised_by_the_columns_that_templates_name():
    columns = ColumnsConfig(question_template="{ask}", answer_template="{reply}")
    assert format_of({"ask": "?", "reply": "!"}, columns) == "instruction"
    assert format_of({"ask": "?"}, columns) is None
    assert format_of({"ask": "?", "reply": "!"}, ColumnsConfig()) is None


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a:>3}", "{a!r}", ""])
def test_templates_that_say_nothing_clear_are_refused(template: str):
    with pytest.raises(ValidationError):
        ColumnsConfig(question_template=template)


@given(
    st.lists(st.tuples(st.text(), st.sampled_from(["a", "b c", "日"])), min_size=1),
    st.fixed_dictionaries({name: st.text(min_size=1) for name in ("a", "b c", "日")}),
)
def test_text_and_columns_come_out_as_they_are(
    pieces: list[tuple[str, str]], value: dict[str, str]
):
    template = "".join(
        text.replace("{", "{{").replace("}", "}}") + f"{{{column}}}" for text, column in pieces
    )
    record = read({**value, "answer": "a"}, question_template=template)
    assert isinstance(record, PromptRecord)
    assert record.prompt == "".join(text + value[column] for text, column in pieces)


def test_the_command_line_takes_them_as_json():
    text = '{"question_template": "{a}, {b}", "response": "reply"}'
    assert named_columns(text) == ColumnsConfig(question_template="{a}, {b}", response="reply")
    assert named_columns("response=reply") == ColumnsConfig(response="reply")
    for bad in ('{"quest": "a"}', '{"question_template": "{"}', "{", "question_template=a"):
        with pytest.raises(CommandFailed):
            named_columns(bad)
