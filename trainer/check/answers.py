"""What is odd about the answers that are trained."""

from collections.abc import Iterator
from typing import Any

import orjson

from trainer.check.findings import Remark, warning
from trainer.data.records import ChatRecord, DenseRecord, PromptRecord, Record

OPENING, CLOSING = "<think>", "</think>"
IMAGE_MARKER = "<image>"


def last_answer(record: Record) -> str | None:
    """Return the last answer as the record has it; None where it is made or is no answer."""
    if isinstance(record, PromptRecord):
        return record.response
    if not isinstance(record, ChatRecord):
        return None
    if record.response is not None or record.thinking is not None:
        return record.response or ""
    last = record.messages[-1]
    return None if last.get("tool_calls") else text_of(last)


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
    answer = last_answer(record)
    if answer is None:
        return
    reasoned = isinstance(record, ChatRecord) and bool(record.thinking) and thinking == "include"
    if not answer.strip() and not reasoned:
        yield warning("empty answer", "the answer is empty", "write an answer or remove the record")
    yield from _odd_reasoning(answer, variant, reasoned=reasoned)


def _odd_reasoning(answer: str, variant: str, *, reasoned: bool) -> Iterator[Remark]:
    opened, closed = answer.count(OPENING), answer.count(CLOSING)
    if variant == "thinking" and closed > opened:
        opened = closed  # the template opens the reasoning itself
    if opened != closed:
        yield warning(
            "think markers without a partner",
            f"the answer opens reasoning {opened} times and closes it {closed} times",
            f"write {OPENING} ... {CLOSING} around it",
        )
    elif variant == "thinking" and not closed and not reasoned:
        yield warning(
            "no reasoning for a Thinking checkpoint",
            "the answer has no reasoning, and this checkpoint answers with reasoning first",
            "set data.thinking=include with a `thinking` field, or take an Instruct checkpoint",
        )
    elif variant != "thinking" and closed:
        yield warning(
            f"reasoning for a checkpoint without it ({variant})",
            "the answer has think markers, and this checkpoint does not answer with reasoning",
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
