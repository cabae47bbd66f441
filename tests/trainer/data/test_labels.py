"""Exactly what the template renders for an answer is trained, and nothing else."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.chat import probe_chat_format
from trainer.data.errors import DataError, RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat
from trainer.data.preprocessing import Preprocessing
from trainer.data.samples import IGNORED, Sample

Load = Callable[..., Preprocessing]
SOURCE = Source("/nowhere/train.jsonl", 1, 0)
CALL = {"type": "function", "function": {"name": "look", "arguments": {"where": "日本"}}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}}}]


def ask(content: str = "What?") -> dict[str, Any]:
    return {"role": "user", "content": content}


def say(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


SYSTEM = {"role": "system", "content": "You see."}
ANSWERS = {
    "plain": "A dog.",
    "empty": "",
    "newlines first": "\n\n\nA dog.",
    "newlines last": "A dog.\n\n",
    "only newlines": "\n\n",
    "spaces": "  A dog  ",
    "the word assistant": "assistant\nuser\nassistant",
    "nearly a control token": "<|im_end| > <|im_start|assistant <im_end> |im_end|>",
    "chinese": "类型/属性:值，图片中有一只狗。",
    "emoji": "🐕‍🦺👩🏽‍🚀🇩🇪",
    "reasoning": "<think>\nA tail.\n</think>\n\nA dog.",
    "reasoning without line breaks": "<think>A tail.</think>A dog.",
    "half a reasoning": "</think> a dog",
    "a call in words": '<tool_call>\n{"name": "x"}\n</tool_call>',
    "carriage returns": "a\r\nb\rc",
    "zero bytes": "a\0b",
}
CONVERSATIONS: dict[str, dict[str, Any]] = {
    **{f"answer: {name}": {"messages": [ask(), say(text)]} for name, text in ANSWERS.items()},
    **{
        f"history: {name}": {"messages": [ask(), say(text), ask("And?"), say("Yes.")]}
        for name, text in ANSWERS.items()
    },
    "system": {"messages": [SYSTEM, ask(), say("A dog.")]},
    "system twice": {"messages": [SYSTEM, ask(), say("a"), SYSTEM, ask(), say("b")]},
    "many turns": {"messages": [turn for i in range(6) for turn in (ask(), say(f"\n{i}"))]},
    "answers in a row": {"messages": [ask(), say("One."), say("Two.")]},
    "an answer first": {"messages": [say("Hello."), ask(), say("A dog.")]},
    "parts": {
        "messages": [ask(), {"role": "assistant", "content": [{"text": "A "}, {"text": "dog"}]}]
    },
    "reasoning content": {"messages": [ask(), say("A dog.", reasoning_content="A tail.")]},
    "a tool": {
        "messages": [
            ask(),
            say("", tool_calls=[CALL]),
            {"role": "tool", "content": "3"},
            say("3."),
        ],
        "tools": TOOLS,
    },
    "tools and words": {
        "messages": [
            *(SYSTEM, ask(), say("Let me look.", tool_calls=[CALL, CALL])),
            *({"role": "tool", "content": "3"}, {"role": "tool", "content": "4"}),
            *(say("\nIt is 3."), ask("Sure?"), say("Yes.")),
        ],
        "tools": TOOLS,
    },
}


def encode(preprocessing: Preprocessing, record: dict[str, Any]) -> Sample:
    return preprocessing.encode(parse_record(orjson.dumps(record), SOURCE, RecordFormat("native")))


def trained_texts(preprocessing: Preprocessing, sample: Sample) -> list[str]:
    """Decode each unbroken stretch of labels."""
    runs: list[list[int]] = [[]]
    for label in sample.labels.tolist():
        if label == IGNORED:
            runs.append([])
        else:
            runs[-1].append(label)
    return [str(preprocessing.tokenizer.decode(run)) for run in runs if run]


def rendered_answers(preprocessing: Preprocessing, record: dict[str, Any]) -> list[str]:
    """What the template renders after its generation prompt, read off its output."""
    text = preprocessing.tokenizer.apply_chat_template(
        record["messages"], tools=record.get("tools"), tokenize=False
    )
    turns = re.findall(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", str(text), re.DOTALL)
    if preprocessing.variant == "thinking":
        turns = [turn.removeprefix("<think>\n") for turn in turns]
    return [unicodedata.normalize("NFC", turn) for turn in turns]


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("checkpoint", ["instruct", "thinking"])
def test_trained_tokens_decode_to_what_the_template_renders(load: Load, checkpoint: str, name: str):
    preprocessing, record = load(checkpoint), CONVERSATIONS[name]
    sample = encode(preprocessing, record)
    trained = sample.labels != IGNORED
    assert trained_texts(preprocessing, sample) == rendered_answers(preprocessing, record)
    assert (sample.labels[trained] == sample.input_ids[trained]).all()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_instruct_template_trains_the_content_itself(load: Load, name: str):
    preprocessing = load("instruct")
    sample = encode(preprocessing, CONVERSATIONS[f"history: {name}"])
    expected = [ANSWERS[name] + "<|im_end|>", "Yes.<|im_end|>"]
    assert trained_texts(preprocessing, sample) == expected
    assert sample.notes == ()


@pytest.mark.parametrize("name", sorted(CONVERSATIONS.keys() - {"answers in a row"}))
@pytest.mark.parametrize("checkpoint", ["instruct", "thinking"])
def test_the_prompt_is_tokenised_as_the_model_reads_it_when_it_generates(
    load: Load, checkpoint: str, name: str
):
    preprocessing, record = load(checkpoint), CONVERSATIONS[name]
    sample = encode(preprocessing, record)
    prompt = preprocessing.tokenizer.apply_chat_template(
        record["messages"][:-1],
        tools=record.get("tools"),
        add_generation_prompt=True,
        return_dict=False,
    )
    assert sample.input_ids[: len(prompt)].tolist() == prompt
    assert (sample.labels[len(prompt) :][:1] != IGNORED).all()
    assert sample.labels[len(prompt) - 1] == IGNORED
    question = preprocessing.question(
        parse_record(orjson.dumps(record), SOURCE, RecordFormat("native"))
    )
    assert question.sample.input_ids.tolist() == prompt
    assert question.truth + "<|im_end|>" == rendered_answers(preprocessing, record)[-1]


def test_of_answers_in_a_row_each_is_trained_as_the_whole_conversation_renders_it(load: Load):
    record = CONVERSATIONS["answers in a row"]  # as a prompt, the first has reasoning put before it
    texts = trained_texts(load("thinking"), encode(load("thinking"), record))
    assert texts == ["One.<|im_end|>", "\n</think>\n\nTwo.<|im_end|>"]


def test_the_tokens_are_those_of_the_rendered_text_where_nothing_could_fuse(load: Load):
    preprocessing = load("instruct")
    record = CONVERSATIONS["many turns"] | {"messages": [SYSTEM, ask(), say("A"), ask(), say("B")]}
    whole = preprocessing.tokenizer.apply_chat_template(record["messages"], return_dict=False)
    assert encode(preprocessing, record).input_ids.tolist() == whole


def test_the_older_family_has_a_system_turn_of_its_own_that_is_not_trained(load: Load):
    preprocessing = load("qwen2_vl")
    sample = encode(preprocessing, {"messages": [ask()], "response": "\nA dog."})
    assert trained_texts(preprocessing, sample) == ["\nA dog.<|im_end|>"]
    assert "helpful assistant" in preprocessing.tokenizer.decode(sample.input_ids)


any_text = st.text(st.characters(codec="utf-8"), max_size=30)
text = any_text.filter(lambda value: "<|" not in value) | st.sampled_from(
    [*ANSWERS.values(), "assistant\n", "<think>\n"]
)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.tuples(text, text), min_size=1, max_size=3))
@pytest.mark.parametrize("checkpoint", ["instruct", "thinking"])
def test_any_text_is_trained_as_rendered(load: Load, checkpoint: str, texts: list[tuple[str, str]]):
    preprocessing = load(checkpoint)
    messages = [turn for question, answer in texts for turn in (ask(question), say(answer))]
    record = {"messages": messages}
    sample = encode(preprocessing, record)
    expected = rendered_answers(preprocessing, record)
    assert trained_texts(preprocessing, sample) == expected


CONTROL = [
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "<|image_pad|>",
    "<|endoftext|>",
    "<|vision_end|>",
]


def records_spelling(control: str) -> dict[str, dict[str, Any]]:
    arguments = {"name": "look", "arguments": {control: 1}}
    return {
        "question": {"messages": [ask(f"a{control}b")], "response": "c"},
        "answer": {"messages": [ask()], "response": f"a{control}b"},
        "history": {"messages": [ask(), say(control), ask()], "response": "c"},
        "system": {"messages": [{"role": "system", "content": control}, ask()], "response": "c"},
        "call": {"messages": [ask(), say("", tool_calls=[{"function": arguments}])]},
        "tools": {"messages": [ask()], "response": "c", "tools": [{"description": control}]},
        "joined": {
            "messages": [
                {"role": "user", "content": [{"text": control[:4]}, {"text": control[4:]}]}
            ],
            "response": "c",
        },
    }


@pytest.mark.parametrize("control", CONTROL)
@pytest.mark.parametrize("place", records_spelling(""))
@pytest.mark.parametrize("checkpoint", ["instruct", "thinking"])
def test_text_that_spells_a_control_token_is_refused(
    load: Load, checkpoint: str, place: str, control: str
):
    token = re.escape(control.split("assistant")[0])
    with pytest.raises(RecordError, match=f"spells the control token {token}"):
        encode(load(checkpoint), records_spelling(control)[place])


@pytest.mark.parametrize("control", CONTROL)
@pytest.mark.parametrize("place", records_spelling(""))
@pytest.mark.parametrize("checkpoint", ["instruct", "thinking"])
def test_text_that_spells_a_control_token_is_escaped_when_asked(
    load: Load, checkpoint: str, place: str, control: str
):
    preprocessing = load(checkpoint, control_tokens="escape")
    sample = encode(preprocessing, records_spelling(control)[place])
    harmless = encode(preprocessing, records_spelling("x")[place])
    for token_id in preprocessing.renderer.control.ids.values():
        assert (sample.input_ids == token_id).sum() == (harmless.input_ids == token_id).sum()
    assert any("escaped" in note for note in sample.notes)
    escaped = control.strip().replace("<|", "< |")  # JSON spells a newline otherwise
    assert escaped in preprocessing.tokenizer.decode(sample.input_ids)


def test_markers_of_boxes_are_content(load: Load):
    preprocessing = load("qwen2_vl")
    answer = "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>"
    sample = encode(preprocessing, {"messages": [ask()], "response": answer})
    assert trained_texts(preprocessing, sample) == [answer + "<|im_end|>"]


@pytest.mark.parametrize(
    ("checkpoint", "policy", "expected"),
    [
        ("instruct", "drop", "A dog.<|im_end|>"),
        ("instruct", "include", "<think>\nA tail.\n</think>\nA dog.<|im_end|>"),
        ("thinking", "drop", "\n</think>\n\nA dog.<|im_end|>"),
        ("thinking", "include", "A tail.\n</think>\n\nA dog.<|im_end|>"),
    ],
)
def test_thinking_is_dropped_or_included(load: Load, checkpoint: str, policy: str, expected: str):
    preprocessing = load(checkpoint, thinking=policy)
    record = {"messages": [ask()], "response": "A dog.", "thinking": "A tail."}
    assert trained_texts(preprocessing, encode(preprocessing, record)) == [expected]


def test_thinking_alone_is_trained_when_included_and_no_answer_when_dropped(load: Load):
    record = {"messages": [ask()], "thinking": "A tail."}
    preprocessing = load("instruct", thinking="include")
    texts = trained_texts(preprocessing, encode(preprocessing, record))
    assert texts == ["<think>\nA tail.\n</think>\n<|im_end|>"]
    with pytest.raises(RecordError, match="no answer once `thinking` is dropped"):
        encode(load("instruct"), record)


@pytest.mark.parametrize(
    ("messages", "note"),
    [
        ([ask(), say("A dog.")], "put empty reasoning before an answer"),
        (
            [ask(), say("<think>\na\n</think>\n\nb"), ask(), say("<think>\na\n</think>\n\nb")],
            "dropped",
        ),
        ([ask(), say("<think>\na\n</think>\nb")], "changed white space"),
        ([ask(), say("a</think>b</think>c"), ask(), say("<think>\na\n</think>\n\nb")], "dropped"),
    ],
)
def test_an_edit_by_the_template_is_noted(load: Load, messages: list[dict[str, Any]], note: str):
    notes = encode(load("thinking"), {"messages": messages}).notes
    assert len(notes) == 1
    assert note in notes[0]


def test_an_answer_the_template_leaves_alone_has_no_note(load: Load):
    record = {"messages": [ask(), say("<think>\na\n</think>\n\nb")]}
    assert encode(load("thinking"), record).notes == ()


MARKED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>\n{% endgeneration %}"
    "{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ONLY_THE_LAST = MARKED.replace(
    "m.role == 'assistant' %}{%", "m.role == 'assistant' and loop.last %}{%"
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [(MARKED, ["\na<|im_end|>", "b<|im_end|>"]), (ONLY_THE_LAST, ["b<|im_end|>"])],
)
def test_where_a_template_marks_what_is_generated_the_marks_decide(
    load: Load, template: str, expected: list[str]
):
    tokenizer = load("instruct").tokenizer
    chat = probe_chat_format(tokenizer, template)
    rendered = chat.render([ask(), say("\na"), ask(), say("b")])
    spans = chat.trained_spans(rendered, chat.answers(rendered))
    assert [rendered.text[start:end] for start, end in spans] == expected


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}",
        "{{ raise_exception('never') }}",
    ],
)
def test_a_template_that_does_not_set_answers_apart_is_refused(load: Load, template: str):
    with pytest.raises(DataError, match="chat template"):
        probe_chat_format(load("instruct").tokenizer, template)


def test_a_base_model_trains_every_token_of_a_text_but_the_first(load: Load):
    preprocessing = load("base")
    sample = encode(preprocessing, {"text": "Once upon a time"})
    assert preprocessing.tokenizer.decode(sample.input_ids) == "Once upon a time<|im_end|>"
    assert sample.labels[0] == IGNORED
    assert (sample.labels[1:] == sample.input_ids[1:]).all()


def test_a_base_model_trains_the_response_to_a_prompt(load: Load):
    preprocessing = load("base", prompt_template="Q: {prompt} {x}\nA:{response}")
    sample = encode(preprocessing, {"prompt": "{response}?", "response": "\n{prompt}"})
    assert trained_texts(preprocessing, sample) == ["\n{prompt}<|im_end|>"]
    text = preprocessing.tokenizer.decode(sample.input_ids)
    assert text == "Q: {response}? {x}\nA:\n{prompt}<|im_end|>"


def test_a_base_model_refuses_what_needs_a_chat_format(load: Load):
    with pytest.raises(RecordError, match="a base model has no chat format"):
        encode(load("base"), {"messages": [SYSTEM, ask()], "response": "a"})


def test_a_chat_model_refuses_plain_text_and_takes_a_prompt_as_a_turn(load: Load):
    preprocessing = load("instruct")
    with pytest.raises(RecordError, match="plain `text` is for base models"):
        encode(preprocessing, {"text": "a"})
    sample = encode(preprocessing, {"prompt": "What?", "response": "A dog."})
    same = encode(preprocessing, {"messages": [ask()], "response": "A dog."})
    assert (sample.labels == same.labels).all()


def test_a_conversation_the_template_cannot_render_is_a_record_error(load: Load):
    with pytest.raises(RecordError, match="the chat template refuses it"):
        encode(load("instruct"), {"messages": [ask(), say("", tool_calls=[{"function": 3}])]})
