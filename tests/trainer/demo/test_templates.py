"""The three chat templates render what the real ones render, character by character."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from trainer.demo.building import Family, Template
from trainer.demo.tiny import build_tiny_checkpoint

Turn = dict[str, Any]

IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
TOOL = {"type": "function", "function": {"name": "area", "description": "Fläche"}}
TOOLS_TEXT = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
    '{"type": "function", "function": {"name": "area", "description": "Fläche"}}\n</tools>\n\n'
    "For each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
)
CALLS = [
    {"type": "function", "function": {"name": "area", "arguments": {"of": "圆"}}},
    {"name": "area", "arguments": '{"of": 2}'},
]
CALLS_TEXT = (
    '<tool_call>\n{"name": "area", "arguments": {"of": "圆"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "area", "arguments": {"of": 2}}\n</tool_call>'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


def tokenizer(folder: Path, family: Family, template: Template) -> PreTrainedTokenizerBase:
    name = folder / f"{family}-{template}"
    if not name.exists():
        build_tiny_checkpoint(name, family=family, template=template)
    return AutoTokenizer.from_pretrained(name)


@pytest.fixture
def instruct(folder: Path) -> PreTrainedTokenizerBase:
    return tokenizer(folder, "qwen3_vl", "instruct")


@pytest.fixture
def thinking(folder: Path) -> PreTrainedTokenizerBase:
    return tokenizer(folder, "qwen3_vl", "thinking")


def render(tokenizer: PreTrainedTokenizerBase, turns: list[Turn], **options: Any) -> str:
    text = tokenizer.apply_chat_template(turns, tokenize=False, **options)
    assert isinstance(text, str)
    return text


def user(content: Any) -> Turn:
    return {"role": "user", "content": content}


def assistant(content: Any, **more: Any) -> Turn:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> Turn:
    return {"role": "system", "content": content}


def tool(content: Any) -> Turn:
    return {"role": "tool", "content": content}


def turn_text(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


PICTURES = [
    {"type": "image", "image": "a.png"},
    {"type": "text", "text": "这是什么? "},
    {"type": "image_url", "image_url": {"url": "b.png"}},
    {"type": "image"},
]
PICTURES_TEXT = f"{IMAGE}这是什么? {IMAGE}{IMAGE}"

SAME_IN_BOTH = [
    ([user("hi")], turn_text("user", "hi")),
    ([system("be brief"), user("hi")], turn_text("system", "be brief") + turn_text("user", "hi")),
    (
        [system([{"type": "text", "text": "be "}, {"type": "text", "text": "brief"}]), user("")],
        turn_text("system", "be brief") + turn_text("user", ""),
    ),
    ([user(PICTURES)], turn_text("user", PICTURES_TEXT)),
    (
        [user("a"), assistant("assistant 🙂"), user("b\n")],
        turn_text("user", "a") + turn_text("assistant", "assistant 🙂") + turn_text("user", "b\n"),
    ),
    (
        [user("a"), assistant("\n\nled by lines"), user("b")],
        turn_text("user", "a")
        + turn_text("assistant", "\n\nled by lines")
        + turn_text("user", "b"),
    ),
    ([user([{"type": "video", "video": "c"}])], turn_text("user", IMAGE.replace("image", "video"))),
]


@pytest.mark.parametrize(("turns", "expected"), SAME_IN_BOTH)
def test_prompts_render_alike_but_for_the_end(
    instruct: PreTrainedTokenizerBase,
    thinking: PreTrainedTokenizerBase,
    turns: list[Turn],
    expected: str,
):
    prompt = "<|im_start|>assistant\n"
    assert render(instruct, turns) == expected
    assert render(thinking, turns) == expected
    assert render(instruct, turns, add_generation_prompt=True) == expected + prompt
    assert render(thinking, turns, add_generation_prompt=True) == expected + prompt + "<think>\n"


@pytest.mark.parametrize("answer", ["", "yes", "\n\nyes", "<think>\nwhy\n</think>\n\nyes"])
def test_instruct_renders_an_answer_as_it_is(instruct: PreTrainedTokenizerBase, answer: str):
    text = render(instruct, [user("a"), assistant(answer)])
    assert text == turn_text("user", "a") + turn_text("assistant", answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (assistant("yes"), "<think>\n\n</think>\n\nyes"),
        (assistant(""), "<think>\n\n</think>\n\n"),
        (assistant("\n\nyes\n"), "<think>\n\n</think>\n\nyes\n"),
        (assistant("<think>\nwhy\n</think>\nyes"), "<think>\nwhy\n</think>\n\nyes"),
        (assistant("why</think>yes"), "<think>\nwhy\n</think>\n\nyes"),
        (assistant("yes", reasoning_content="\nwhy\n"), "<think>\nwhy\n</think>\n\nyes"),
        (assistant([{"type": "text", "text": "yes"}]), "<think>\n\n</think>\n\nyes"),
    ],
)
def test_thinking_puts_reasoning_before_the_last_answer(
    thinking: PreTrainedTokenizerBase, answer: Turn, expected: str
):
    text = render(thinking, [user("a"), answer])
    assert text == turn_text("user", "a") + turn_text("assistant", expected)


def test_thinking_drops_the_reasoning_of_earlier_answers(thinking: PreTrainedTokenizerBase):
    turns = [
        user("a"),
        assistant("<think>\nwhy\n</think>\n\nyes"),
        user(PICTURES),
        assistant("no", reasoning_content="because"),
        user("c"),
        assistant("<think>\nthus\n</think>\n\nwell"),
    ]
    assert render(thinking, turns) == (
        turn_text("user", "a")
        + turn_text("assistant", "yes")
        + turn_text("user", PICTURES_TEXT)
        + turn_text("assistant", "no")
        + turn_text("user", "c")
        + turn_text("assistant", "<think>\nthus\n</think>\n\nwell")
    )


TOOL_TURNS = [
    system("be brief"),
    user("areas?"),
    assistant("", tool_calls=CALLS, reasoning_content="two of them"),
    tool("3"),
    tool([{"type": "text", "text": "4"}, {"type": "image"}]),
    assistant("7"),
]
RESULTS_TEXT = turn_text(
    "user",
    f"<tool_response>\n3\n</tool_response>\n<tool_response>\n4{IMAGE}\n</tool_response>",
)


def test_instruct_renders_tools_calls_and_results(instruct: PreTrainedTokenizerBase):
    assert render(instruct, TOOL_TURNS, tools=[TOOL]) == (
        f"<|im_start|>system\nbe brief\n\n{TOOLS_TEXT}"
        + turn_text("user", "areas?")
        + turn_text("assistant", CALLS_TEXT)
        + RESULTS_TEXT
        + turn_text("assistant", "7")
    )


def test_thinking_keeps_the_reasoning_that_led_to_a_call(thinking: PreTrainedTokenizerBase):
    assert render(thinking, TOOL_TURNS, tools=[TOOL]) == (
        f"<|im_start|>system\nbe brief\n\n{TOOLS_TEXT}"
        + turn_text("user", "areas?")
        + turn_text("assistant", f"<think>\ntwo of them\n</think>\n\n{CALLS_TEXT}")
        + RESULTS_TEXT
        + turn_text("assistant", "<think>\n\n</think>\n\n7")
    )


def test_a_result_wrapped_by_the_user_does_not_start_a_new_question(
    thinking: PreTrainedTokenizerBase,
):
    wrapped = "<tool_response>\n3\n</tool_response>"
    turns = [user("a"), assistant("calls", reasoning_content="why"), user(wrapped)]
    assert render(thinking, turns) == (
        turn_text("user", "a")
        + turn_text("assistant", "<think>\nwhy\n</think>\n\ncalls")
        + turn_text("user", wrapped)
    )


@pytest.mark.parametrize("content", ["so:", [{"type": "text", "text": "so:"}]])
def test_a_call_after_words_starts_on_its_own_line(instruct: PreTrainedTokenizerBase, content: Any):
    text = render(instruct, [user("a"), assistant(content, tool_calls=CALLS)])
    assert text == turn_text("user", "a") + turn_text("assistant", f"so:\n{CALLS_TEXT}")


def test_tools_without_a_system_turn_stand_alone(
    instruct: PreTrainedTokenizerBase, thinking: PreTrainedTokenizerBase
):
    expected = f"<|im_start|>system\n{TOOLS_TEXT}" + turn_text("user", "a")
    assert render(instruct, [user("a")], tools=[TOOL]) == expected
    assert render(thinking, [user("a")], tools=[TOOL]) == expected


def test_a_later_system_turn_is_dropped_by_instruct_and_kept_by_thinking(
    instruct: PreTrainedTokenizerBase, thinking: PreTrainedTokenizerBase
):
    turns = [user("a"), system("be brief")]
    assert render(instruct, turns) == turn_text("user", "a")
    assert render(thinking, turns) == turn_text("user", "a") + turn_text("system", "be brief")


@pytest.mark.parametrize("template", ["instruct", "thinking"])
def test_pictures_are_numbered_on_demand_across_turns(folder: Path, template: Template):
    turns = [user(PICTURES), user([{"type": "image"}])]
    text = render(tokenizer(folder, "qwen3_vl", template), turns, add_vision_id=True)
    assert text == turn_text(
        "user", f"Picture 1: {IMAGE}这是什么? Picture 2: {IMAGE}Picture 3: {IMAGE}"
    ) + turn_text("user", f"Picture 4: {IMAGE}")


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_the_older_families_add_a_default_system_turn(folder: Path, family: Family):
    older = tokenizer(folder, family, "instruct")
    default = turn_text("system", "You are a helpful assistant.")
    question = turn_text("user", PICTURES_TEXT)
    prompt = "<|im_start|>assistant\n"
    turns = [user(PICTURES)]
    assert render(older, turns, add_generation_prompt=True) == default + question + prompt
    own = [system("be brief"), *turns, assistant("yes")]
    answer = turn_text("assistant", "yes")
    assert render(older, own) == turn_text("system", "be brief") + question + answer
