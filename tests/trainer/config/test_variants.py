"""Instruct, Thinking and Base checkpoints, told apart and with defaults of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import trainer.demo
from trainer.config.load import load_config
from trainer.config.variants import (
    VARIANT_DEFAULTS,
    detect_variant,
    opens_reasoning,
    variant_of_name,
)

Write = Callable[..., Path]
TEMPLATES = Path(str(trainer.demo.__path__[0]))
HYBRID = (
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_the_templates_of_the_demo_are_told_apart():
    assert opens_reasoning((TEMPLATES / "thinking.jinja").read_text())
    assert not opens_reasoning((TEMPLATES / "instruct.jinja").read_text())
    assert not opens_reasoning((TEMPLATES / "qwen2_vl.jinja").read_text())


def test_a_template_that_closes_the_reasoning_it_opens_is_no_thinking_one():
    assert not opens_reasoning(HYBRID)
    assert opens_reasoning(HYBRID.replace("<think>\\n\\n</think>\\n\\n", "<think>\\n"))
    assert not opens_reasoning("<think>{{ messages }}")


def test_a_checkpoint_without_a_template_is_a_base_model(checkpoint: Path):
    assert detect_variant(str(checkpoint)) == "base"
    (checkpoint / "tokenizer_config.json").write_text("{}")
    assert detect_variant(str(checkpoint)) == "base"


THINKING = (TEMPLATES / "thinking.jinja").read_text()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("chat_template.jinja", THINKING),
        ("chat_template.json", json.dumps({"chat_template": THINKING})),
        ("tokenizer_config.json", json.dumps({"chat_template": THINKING})),
        (
            "tokenizer_config.json",
            json.dumps(
                {
                    "chat_template": [
                        {"name": "tools", "template": "x"},
                        {"name": "default", "template": THINKING},
                    ]
                }
            ),
        ),
    ],
)
def test_a_template_is_found_wherever_a_checkpoint_keeps_it(checkpoint: Path, file: str, text: str):
    (checkpoint / file).write_text(text)
    assert detect_variant(str(checkpoint)) == "thinking"


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("Qwen3-VL-2B-Thinking", "thinking"),
        ("Huihui-Qwen3-VL-2B-Thinking-abliterated", "thinking"),
        ("Qwen3-VL-2B-Base", "base"),
        ("Qwen3-VL-2B-Instruct", "instruct"),
        ("based-model", "instruct"),
        ("gpt2", "instruct"),
    ],
)
def test_a_hub_id_tells_by_its_name(name: str, variant: str):
    assert variant_of_name(name) == variant
    assert detect_variant(f"org/{name}") == variant


def test_a_variant_brings_defaults_that_any_statement_overrules(write: Write):
    base = "model: {path: a/b-%s}\ndata: {train: train.jsonl}\n"
    thinking = load_config(write(base=base % "Thinking"))
    assert (thinking.data.max_length, thinking.generation.max_new_tokens) == (4096, 300)
    assert thinking.generation.temperature == 0.0
    plain = load_config(write(base=base % "Base"))
    assert plain.optimizer.learning_rate == 1e-4
    assert (plain.generation.max_new_tokens, plain.generation.temperature) == (200, 0.8)
    assert plain.generation.top_p == 0.9
    low = load_config(write("extends: low-memory\n", base=base % "Thinking"))
    assert low.data.max_length == 1024
    assert load_config(write(base=base % "Base"), ["optimizer.learning_rate=1"]).model.variant == (
        "base"
    )
    told = load_config(write(base=base % "Base"), ["model.variant=instruct"])
    assert (told.model.variant, told.optimizer.learning_rate) == ("instruct", 2e-4)


def test_every_variant_default_is_an_option():
    from trainer.config.options import options

    assert {key for defaults in VARIANT_DEFAULTS.values() for key in defaults} <= options().keys()
