"""Render conversations with the checkpoint's own chat template, and find the answers in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from trainer.data.errors import DataError, RecordError
from trainer.data.records import ChatRecord, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase  # it loads torch

_GENERATION_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_QUESTION, _ANSWER = "Zeroth question?", "Zeroth answer."


@dataclass(frozen=True)
class Rendered:
    """A conversation as text."""

    text: str
    marked: tuple[tuple[int, int], ...] = ()  # what the template's generation markers enclose


@dataclass(frozen=True)
class Answer:
    """One assistant turn in a rendered conversation, as character positions."""

    body: int  # after the turn's header
    start: int  # after all that the generation prompt gives: the first trained character
    end: int  # before the closing token


@dataclass(frozen=True)
class ChatFormat:
    """A chat template and what it puts around an assistant's words."""

    template: str
    variables: dict[str, str]  # the tokenizer's special tokens, as templates know them
    opening: str  # the control token at the start of a turn
    header: str  # how an assistant turn begins, opening included
    generation_prompt: str  # the header, and what a Thinking template adds to it
    closing: str  # the control token at the end of a turn

    @property
    def marks_answers(self) -> bool:
        """Whether the template says itself what the assistant generates."""
        return bool(_GENERATION_MARKER.search(self.template))

    @property
    def forces_reasoning(self) -> bool:
        """Whether an answer begins inside a reasoning block."""
        return self.generation_prompt != self.header

    def render(
        self,
        messages: Sequence[Message],
        tools: list[Any] | None = None,
        *,
        add_generation_prompt: bool = False,
    ) -> Rendered:
        """Return a conversation as text.

        Raises:
            DataError: The template refuses the conversation.

        """
        return _render(
            self.template,
            self.variables,
            messages,
            tools,
            add_generation_prompt,
            self.marks_answers,
        )

    def answers(self, rendered: Rendered) -> list[Answer]:
        """Return the assistant turns of a rendered conversation, in order.

        No text inside spells a control token (see ControlTokens), so every header is a turn's.

        Raises:
            DataError: A turn is not closed.

        """
        positions = [match.start() for match in re.finditer(re.escape(self.header), rendered.text)]
        return [self._answer(rendered.text, position) for position in positions]

    def _answer(self, text: str, position: int) -> Answer:
        body = position + len(self.header)
        end = text.find(self.closing, body)
        if end < 0:
            raise DataError(f"the chat template leaves an assistant turn without {self.closing}")
        forced = text.startswith(self.generation_prompt, position)
        start = position + len(self.generation_prompt) if forced else body
        return Answer(body, start, end)

    def trained_spans(self, rendered: Rendered, answers: Sequence[Answer]) -> list[tuple[int, int]]:
        """Return what is trained: each answer with its closing token.

        Where the template marks what is generated, only marked answers are trained, from where
        the mark begins (but never the generation prompt itself).
        """
        close = len(self.closing)
        if not self.marks_answers:
            return [(answer.start, answer.end + close) for answer in answers]
        spans = []
        for answer in answers:
            starts = [a for a, b in rendered.marked if a <= answer.end and b > answer.body]
            if starts:
                spans.append((max(answer.start, min(starts)), answer.end + close))
        return spans


def probe_chat_format(tokenizer: "PreTrainedTokenizerBase", template: str) -> ChatFormat:
    """Return what a template puts around answers, found by rendering a small conversation.

    Raises:
        DataError: The template does not set turns apart by control tokens.

    """
    variables = {key: str(text) for key, text in tokenizer.special_tokens_map.items()}
    question = [{"role": "user", "content": _QUESTION}]
    answer = [{"role": "assistant", "content": _ANSWER}]

    def render(messages: list[Message], add_generation_prompt: bool = False) -> str:
        return _render(template, variables, messages, None, add_generation_prompt).text

    controls = re.compile("|".join(map(re.escape, tokenizer.all_special_tokens)))
    # The first of two rounds: a Thinking template puts reasoning around the last answer only.
    history = render([*question, *answer, *question, *answer])
    before, _, after = history.partition(_ANSWER)
    openings = list(controls.finditer(before))
    closing = controls.match(after)
    alone = render(question)
    prompted = render(question, add_generation_prompt=True)
    if not openings or not closing or not prompted.startswith(alone):
        raise DataError(
            "the chat template does not set an assistant's turns apart by control tokens; "
            "use a checkpoint with a ChatML-like template, or model.variant=base"
        )
    header, generation_prompt = before[openings[-1].start() :], prompted[len(alone) :]
    if not generation_prompt.startswith(header):
        raise DataError(
            f"the chat template asks for answers with {generation_prompt!r} but renders them "
            f"after {header!r}; mend the template"
        )
    return ChatFormat(template, variables, openings[-1][0], header, generation_prompt, closing[0])


def _render(  # noqa: PLR0913
    template: str,
    variables: dict[str, Any],
    messages: Sequence[Message],
    tools: list[Any] | None,
    add_generation_prompt: bool,
    with_marks: bool = False,
) -> Rendered:
    # Here, because those who only estimate what records take import this module as well.
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        texts, marks = render_jinja_template(
            conversations=[list(messages)],
            tools=tools,
            chat_template=template,
            return_assistant_tokens_mask=with_marks,
            add_generation_prompt=add_generation_prompt,
            **variables,
        )
    except (TemplateError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as e:
        raise DataError(f"the chat template refuses it: {str(e) or type(e).__name__}") from e
    marked = marks[0] if with_marks else []
    return Rendered(texts[0], tuple((int(start), int(end)) for start, end in marked))


def conversation(record: ChatRecord, thinking: str) -> list[Message]:
    """Return the record's messages with its response as the last turn.

    Args:
        record: A checked record.
        thinking: `include` puts the record's `thinking` before its response, `drop` leaves it out.

    Raises:
        RecordError: Nothing is left to answer with.

    """
    if record.response is None and record.thinking is None:
        return list(record.messages)
    reasoning = record.thinking if thinking == "include" else None
    if record.response is None and reasoning is None:
        raise RecordError(
            record.source,
            "no answer once `thinking` is dropped",
            "set data.thinking=include, or add `response`",
        )
    prefix = "" if reasoning is None else f"<think>\n{reasoning}\n</think>\n"
    return [*record.messages, {"role": "assistant", "content": prefix + (record.response or "")}]


def describe_edit(message: Message, body: str) -> str | None:
    """Return what the template changed in an assistant's words, None if nothing.

    Args:
        message: The turn as the record has it.
        body: The turn as rendered, between header and closing token.

    """
    if message.get("tool_calls") or message.get("reasoning_content"):
        return None
    content = message["content"]
    given = content if isinstance(content, str) else "".join(part["text"] for part in content)
    if body == given:
        return None
    if "</think>" in body and "</think>" not in given:
        return "the chat template put empty reasoning before an answer"
    if "</think>" in given and "</think>" not in body:
        return "the chat template dropped the reasoning of an earlier answer"
    if body.split() == given.split():
        return "the chat template changed white space in an answer"
    return "the chat template changed the words of an answer"
