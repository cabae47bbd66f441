"""Turn one line of data into a checked record."""

from dataclasses import dataclass
from typing import Any

import orjson

from trainer.data.errors import RecordError, Source

ROLES = ("system", "user", "assistant", "tool")
IMAGE_TYPES = ("image", "image_url")
RESIZING_KEYS = ("min_pixels", "max_pixels", "resized_height", "resized_width")

Message = dict[str, Any]  # in the shape chat templates expect; images without their content


@dataclass(frozen=True, kw_only=True)
class ChatRecord:
    """A conversation whose assistant turns are trained."""

    source: Source
    messages: tuple[Message, ...]  # without `response`
    images: tuple[str, ...]  # data URI, base64, path or address, in the order of the messages
    response: str | None  # becomes the last assistant turn
    thinking: str | None  # goes before the response, if the configuration says so
    tools: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class PromptRecord:
    """A prompt and its response, without any chat format."""

    source: Source
    prompt: str
    response: str


@dataclass(frozen=True, kw_only=True)
class TextRecord:
    """Plain text, of which every token is trained."""

    source: Source
    text: str


Record = ChatRecord | PromptRecord | TextRecord


def parse_record(line: bytes, source: Source) -> Record:
    """Return the record in one line of JSONL (or one element of an array).

    Understands the native record and OpenAI's messages, prompt and response, and plain text.

    Raises:
        RecordError: The line is no record; says what is wrong and what to do.

    """
    return _Parser(source).record(_load(line, source))


def _load(line: bytes, source: Source) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        what = f"broken JSON: {error.msg} (byte {error.pos} of the record)"
        raise RecordError(source, what, "write one JSON object a line, in UTF-8") from error
    if not isinstance(value, dict):
        raise RecordError(source, f"{_kind(value)} instead of an object", "write {...} a line")
    return value


class _Parser:
    """Checks the parts of one record; every complaint carries the record's place."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.images: list[str] = []

    def error(self, what: str, remedy: str) -> RecordError:
        return RecordError(self.source, what, remedy)

    def record(self, value: dict[str, Any]) -> Record:
        for key in ("images", "image", "videos", "video"):
            if value.get(key):
                raise self.error(
                    f"`{key}` beside the conversation",
                    'put each image into a message\'s content as {"type": "image", "image": ...}',
                )
        if "messages" in value:
            return self.chat(value)
        if "prompt" in value:
            prompt, response = self.text(value, "prompt"), self.text(value, "response")
            return PromptRecord(source=self.source, prompt=prompt, response=response)
        if "text" in value:
            return TextRecord(source=self.source, text=self.text(value, "text"))
        keys = ", ".join(f"`{key}`" for key in list(value)[:8]) or "nothing"
        raise self.error(f"no `messages`, `prompt` or `text`, only {keys}", "rename the key")

    def text(self, value: dict[str, Any], key: str) -> str:
        text = value.get(key)
        if not isinstance(text, str):
            raise self.error(f"`{key}` is {_kind(text)}", "write it as a string")
        return text

    def optional_text(self, value: dict[str, Any], key: str) -> str | None:
        return None if value.get(key) is None else self.text(value, key)

    def chat(self, value: dict[str, Any]) -> ChatRecord:
        turns = self.objects(value["messages"], "`messages`")
        if not turns:
            raise self.error("`messages` is empty", "add at least a user's message")
        messages = tuple(self.message(turn, f"messages[{i}]") for i, turn in enumerate(turns))
        response = self.optional_text(value, "response")
        thinking = self.optional_text(value, "thinking")
        thinking = thinking if thinking and thinking.strip() else None
        self.check_answer(messages[-1]["role"], response, thinking)
        tools = value.get("tools")
        return ChatRecord(
            source=self.source,
            messages=messages,
            images=tuple(self.images),
            response=response,
            thinking=thinking,
            tools=self.objects(tools, "`tools`") if tools else None,
        )

    def check_answer(self, last_role: str, response: str | None, thinking: str | None) -> None:
        given = "response" if response is not None else "thinking"
        nothing_given = response is None and thinking is None
        if last_role == "assistant" and not nothing_given:
            raise self.error(
                f"both `{given}` and an assistant turn at the end of `messages`", "remove one"
            )
        if last_role != "assistant" and nothing_given:
            raise self.error("no answer to train", "add `response`, or end with an assistant turn")

    def message(self, turn: dict[str, Any], where: str) -> Message:
        role = turn.get("role")
        if role not in ROLES:
            shown = repr(role)[:40] if isinstance(role, str) else _kind(role)
            raise self.error(f"{where} has the role {shown}", f"use one of {', '.join(ROLES)}")
        if turn.get("weight", 1) != 1:
            raise self.error(
                f"{where} has `weight`, which is not supported", "remove the turn or key"
            )
        for key in ("reasoning_content", "name", "tool_call_id"):
            self.optional_text(turn, key)
        if turn.get("tool_calls") is not None:
            self.objects(turn["tool_calls"], f"{where}.tool_calls")
        content = turn.get("content")
        if content is None and role == "assistant" and turn.get("tool_calls"):
            content = ""
        others = {key: value for key, value in turn.items() if value is not None}
        return {**others, "content": self.content(content, where, role)}

    def content(self, content: Any, where: str, role: str) -> str | list[dict[str, str]]:
        if isinstance(content, str):
            return content
        parts: list[dict[str, str]] = []
        for number, item in enumerate(self.objects(content, f"{where}.content")):
            part = self.part(item, f"{where}.content[{number}]", role)
            if part["type"] == "text" and parts and parts[-1]["type"] == "text":
                parts[-1] = {"type": "text", "text": parts[-1]["text"] + part["text"]}
            else:
                parts.append(part)
        return parts

    def part(self, item: dict[str, Any], where: str, role: str) -> dict[str, str]:
        kind = item.get("type", next((key for key in ("text", *IMAGE_TYPES) if key in item), None))
        if kind == "text":
            if not isinstance(item.get("text"), str):
                raise self.error(
                    f"{where}.text is {_kind(item.get('text'))}", "write it as a string"
                )
            return {"type": "text", "text": item["text"]}
        if kind not in IMAGE_TYPES:
            shown = repr(kind)[:40] if isinstance(kind, str) else _kind(kind)
            raise self.error(f"{where} has the type {shown}", "use text, image or image_url")
        if role == "assistant":
            raise self.error(
                f"{where} is an image in an answer", "answers are text; move the image"
            )
        self.images.append(self.image(item, where))
        return {"type": "image"}

    def image(self, item: dict[str, Any], where: str) -> str:
        for key in RESIZING_KEYS:
            if key in item:
                raise self.error(f"{where} has `{key}`", "set data.min_pixels and max_pixels")
        value = next((item[key] for key in IMAGE_TYPES if item.get(key) is not None), None)
        if isinstance(value, dict):
            value = value.get("url")
        if isinstance(value, str) and value.strip():
            return value
        keys = ", ".join(f"`{key}`" for key in list(item)[:8] if key != "type")
        raise self.error(
            f"{where} has no image under `image` or `image_url`, only {keys or 'its type'}",
            "write a data URI, base64 text or a path under `image`",
        )

    def objects(self, value: Any, where: str) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise self.error(f"{where} is {_kind(value)}", "write a list of objects")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(f"{where}[{number}] is {_kind(item)}", "write an object")
        return value


def _kind(value: Any) -> str:
    """The JSON name of a value's type."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object", type(None): "missing or null"}
    return names[type(value)]
