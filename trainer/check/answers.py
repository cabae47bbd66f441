"""What is odd about the answers that are trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from trainer.check.findings import Remark, warning
from trainer.data.records import ChatRecord, DenseRecord, PromptRecord, Record

OPENING, CLOSING = "<think>", "</think>"
IMAGE_MARKER = "<image>"


@dataclass(frozen=True)
class Answer:
    """A turn of the assistant, all of which are trained."""

    text: str
    name: str  # in messages
    is_last: bool
    reasoned: bool  # its reasoning lies beside it


def answers_of(record: Record, thinking: str = "include") -> list[Answer]:
    """Return the answers that a record has; none where they are made, or calls of tools.

    `thinking` is what happens to a record's `thinking`: drop or include.
    """
    found = list(_texts(record, thinking))
    return [
        Answer(
            text=text,
            name="the answer" if len(found) == 1 else f"answer {number} of {len(found)}",
            is_last=number == len(found),
            reasoned=reasoned,
        )
        for number, (text, reasoned) in enumerate(found, start=1)
    ]


def _texts(record: Record, thinking: str) -> Iterator[tuple[str, bool]]:
    if isinstance(record, PromptRecord):
        yield record.response, False
    if not isinstance(record, ChatRecord):
        return
    for message in record.messages:
        if message["role"] == "assistant" and not message.get("tool_calls"):
            yield text_of(message), bool(message.get("reasoning_content"))
    if record.response is not None or record.thinking is not None:
        yield record.response or "", bool(record.thinking) and thinking == "include"


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message, without its images."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def is_json(answer: str) -> bool:
    """Whether an answer is a JSON object or array."""
    text = answer.strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def odd_answers(record: Record, variant: str, thinking: str) -> Iterator[Remark]:
    """Yield what is odd about the answers of a record for a variant of checkpoint.

    `thinking` is what happens to a record's `thinking`: drop or include.
    """
    for answer in answers_of(record, thinking):
        if not answer.text.strip() and not answer.reasoned:
            what = f"{answer.name} is empty"
            yield warning("empty answer", what, "write an answer or remove the record")
        yield from _odd_reasoning(answer, variant)


def _odd_reasoning(answer: Answer, variant: str) -> Iterator[Remark]:
    opened, closed = answer.text.count(OPENING), answer.text.count(CLOSING)
    if variant == "thinking" and closed > opened:
        opened = closed  # the template opens the reasoning itself
    if opened != closed:
        yield warning(
            "think markers without a partner",
            f"{answer.name} opens reasoning {opened} times and closes it {closed} times",
            f"write {OPENING} ... {CLOSING} around it",
        )
    elif variant == "thinking" and answer.is_last and not closed and not answer.reasoned:
        yield warning(
            "no reasoning for a Thinking checkpoint",
            f"{answer.name} has no reasoning, and this checkpoint answers with reasoning first",
            "set data.thinking=include with a `thinking` field, or take an Instruct checkpoint",
        )
    elif variant != "thinking" and closed:
        yield warning(
            f"reasoning for a checkpoint without it ({variant})",
            f"{answer.name} has think markers, and this checkpoint does not answer with reasoning",
            "take a Thinking checkpoint, or move the reasoning to `thinking`, which is dropped",
        )


def odd_markers(record: Record) -> Iterator[Remark]:
    """Yield where `<image>` is text in a record whose images have places of their own."""
    if isinstance(record, DenseRecord) or not isinstance(record, ChatRecord):
        return
    markers = sum(text_of(message).count(IMAGE_MARKER) for message in record.messages)
    if markers:
        yield warning(
            "<image> as text",
            f"{markers} times {IMAGE_MARKER} in the text, beside {len(record.images)} images "
            "that have places of their own",
            "remove it from the text, or set data.format to the format the file is written in",
        )
