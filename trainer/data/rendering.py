"""Turn records into text, and say which stretches of it are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from trainer.config.schema import DataConfig
from trainer.data.chat import Answer, ChatFormat, Rendered, conversation, describe_edit
from trainer.data.control import ControlTokens
from trainer.data.errors import DataError, RecordError
from trainer.data.records import ChatRecord, Message, PromptRecord, TextRecord, WrittenRecord

ESCAPED = "text that spelled a control token was escaped"


@dataclass(frozen=True)
class Rendering:
    """A record as text, before its tokens are known."""

    text: str
    spans: tuple[tuple[int, int], ...]  # what is trained, as character positions
    images: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what was changed on the way


@dataclass(frozen=True)
class Renderer:
    """How a checkpoint wants records written."""

    chat: ChatFormat | None  # None: a base model, without any chat format
    control: ControlTokens
    image_token: str  # the placeholder of an image in a rendered conversation
    image_place: str  # an image as a base model reads it
    end_of_text: str  # what ends a base model's text
    options: DataConfig

    def render(self, record: WrittenRecord) -> Rendering:
        """Return the text of a record and its trained spans.

        Raises:
            RecordError: Text spells a control token, the template refuses the record, or it has
                no answer.

        """
        try:
            checked = self._without_control_tokens(record)
            render = self._render_plain if self.chat is None else self._render_chat
            rendering = render(checked)
        except RecordError:
            raise
        except DataError as error:
            raise RecordError(record.source, str(error), "mend the record") from error
        self._check_image_places(record, rendering)
        notes = {*rendering.notes, *(() if checked is record else (ESCAPED,))}
        return replace(rendering, notes=tuple(sorted(notes)))

    def question(self, record: WrittenRecord) -> tuple[Rendering, str]:
        """Return the text that asks for a record's last answer, and that answer.

        Raises:
            RecordError: As `render`, or the record asks nothing.

        """
        rendering = self.render(record)
        if isinstance(record, TextRecord) or not rendering.spans:
            raise RecordError(record.source, "it asks no question", "use a conversation")
        start, end = rendering.spans[-1]
        closing = self.end_of_text if self.chat is None else self.chat.closing
        prompt = rendering.text[:start]
        if self.chat is not None:
            chat_record = _as_chat(self._without_control_tokens(record))
            messages = conversation(chat_record, self.options.thinking)[:-1]
            tools = chat_record.tools
            prompt = self.chat.render(messages, tools, add_generation_prompt=True).text
        asked = replace(rendering, text=prompt, spans=())
        return asked, rendering.text[start:end].removesuffix(closing)

    def _without_control_tokens(self, record: WrittenRecord) -> WrittenRecord:
        values = {f.name: getattr(record, f.name) for f in fields(record)}
        texts = {name: values[name] for name in values if name not in ("source", "images")}
        spelled = self.control.spelled_in(texts)
        if spelled is None:
            return record
        if self.options.control_tokens == "refuse":
            raise RecordError(
                record.source,
                f"the text spells the control token {spelled}",
                "reword it, or set data.control_tokens=escape",
            )
        return replace(record, **self.control.escaped(texts))

    def _check_image_places(self, record: WrittenRecord, rendering: Rendering) -> None:
        places = rendering.text.count(self.image_token)
        if places != len(rendering.images):
            raise RecordError(
                record.source,
                f"{len(rendering.images)} images, but the chat template made {places} places",
                "put images into user turns, where the template expects them",
            )

    def _render_chat(self, record: WrittenRecord) -> Rendering:
        assert self.chat is not None
        if isinstance(record, TextRecord):
            raise RecordError(
                record.source,
                "plain `text` is for base models, and this one has a chat format",
                "write a conversation under `messages`, or set model.variant=base",
            )
        record = _as_chat(record)
        messages = conversation(record, self.options.thinking)
        rendered = self.chat.render(messages, record.tools)
        answers = self.chat.answers(rendered)
        turns = [message for message in messages if message["role"] == "assistant"]
        if len(answers) != len(turns):
            raise DataError(
                f"{len(turns)} assistant turns, but the chat template rendered {len(answers)}"
            )
        spans = tuple(self.chat.trained_spans(rendered, answers))
        return Rendering(rendered.text, spans, record.images, _edits(rendered, turns, answers))

    def _render_plain(self, record: WrittenRecord) -> Rendering:
        if isinstance(record, TextRecord):
            text = record.text + self.end_of_text
            return Rendering(text, ((0, len(text)),))
        if isinstance(record, PromptRecord):
            return self._join(record.prompt, record.response)
        messages = conversation(record, self.options.thinking)
        if [message["role"] for message in messages] != ["user", "assistant"] or record.tools:
            raise RecordError(
                record.source,
                "a base model has no chat format for several turns, system texts or tools",
                "use one user turn with one answer, `prompt` and `response`, or `text`",
            )
        prompt, response = (self._flat(message) for message in messages)
        return replace(self._join(prompt, response), images=record.images)

    def _join(self, prompt: str, response: str) -> Rendering:
        before, _, between = self.options.prompt_template.partition("{prompt}")
        question = before + prompt + between.removesuffix("{response}")
        text = question + response + self.end_of_text
        return Rendering(text, ((len(question), len(text)),))

    def _flat(self, message: Message) -> str:
        content = message["content"]
        if isinstance(content, str):
            return content
        return "".join(part.get("text", self.image_place) for part in content)


def _as_chat(record: WrittenRecord) -> ChatRecord:
    if isinstance(record, ChatRecord):
        return record
    assert isinstance(record, PromptRecord)
    question: Message = {"role": "user", "content": record.prompt}
    return ChatRecord(
        source=record.source,
        messages=(question,),
        images=(),
        response=record.response,
        thinking=None,
        tools=None,
    )


def _edits(
    rendered: Rendered, turns: Sequence[dict[str, Any]], answers: Sequence[Answer]
) -> tuple[str, ...]:
    bodies = (rendered.text[answer.body : answer.end] for answer in answers)
    edits = (describe_edit(turn, body) for turn, body in zip(turns, bodies, strict=True))
    return tuple(edit for edit in edits if edit is not None)
