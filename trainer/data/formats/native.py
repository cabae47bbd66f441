"""Read native records and OpenAI's messages, prompt and response, and plain text."""

from typing import Any

from trainer.data.errors import Source
from trainer.data.formats.figures import read_mark
from trainer.data.formats.parts import (
    RESIZING_KEYS,
    ROLES,
    Parts,
    json_kind,
    shown_keys,
    shown_role,
)
from trainer.data.records import ChatRecord, Mark, Message, PromptRecord, Record, TextRecord

IMAGE_TYPES = ("image", "image_url")
_AS_PART = 'put each image into a message\'s content as {"type": "image", "image": ...}'
BESIDE = {  # what is done instead
    "images": _AS_PART,
    "image": _AS_PART,
    "objects": 'put each object into a message\'s content as {"type": "mark", ...}, or write the '
    "contents as plain texts with <image> and <bbox>",
}


def claims(value: dict[str, Any]) -> bool:
    """Whether an object has what a native record needs, and nothing beside it that is lost."""
    if any(value.get(key) for key in BESIDE):
        return "messages" in value and not _all_plain(value["messages"])
    return "messages" in value or {"prompt", "response"} <= value.keys() or "text" in value


def _all_plain(messages: Any) -> bool:
    """Whether all messages are plain texts, as they are where images lie beside them."""
    turns = messages if isinstance(messages, list) else []
    return all(isinstance(it, dict) and isinstance(it.get("content"), str) for it in turns)


def read(value: dict[str, Any], source: Source) -> Record:
    """Return the record in an object; raises RecordError."""
    return _Native(source).record(value)


class _Native(Parts):
    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.named_images: list[str] = []
        self.marks: list[Mark] = []

    def record(self, value: dict[str, Any]) -> Record:
        self.refuse_media(value)
        for key, remedy in BESIDE.items():
            if value.get(key):
                raise self.error(f"`{key}` beside the conversation", remedy)
        if "messages" in value:
            return self.chat(value)
        if "prompt" in value:
            prompt, response = self.text(value, "prompt"), self.text(value, "response")
            return PromptRecord(source=self.source, prompt=prompt, response=response)
        if "text" in value:
            return TextRecord(source=self.source, text=self.text(value, "text"))
        what = f"no `messages`, `prompt` or `text`, only {shown_keys(value)}"
        raise self.error(what, "rename the key, or name the columns under data.columns")

    def chat(self, value: dict[str, Any]) -> ChatRecord:
        turns = self.objects(value["messages"], "`messages`")
        if not turns:
            raise self.error("`messages` is empty", "add at least a user's message")
        messages = tuple(self.message(turn, f"messages[{i}]") for i, turn in enumerate(turns))
        response = self.optional_text(value, "response")
        thinking = self.optional_text(value, "thinking")
        thinking = thinking if thinking and thinking.strip() else None
        self.check_answer(messages[-1]["role"], response, thinking)
        self.check_marks()
        return ChatRecord(
            source=self.source,
            messages=messages,
            images=tuple(self.named_images),
            response=response,
            thinking=thinking,
            tools=self.tools(value),
            marks=tuple(self.marks),
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

    def check_marks(self) -> None:
        for mark in self.marks:
            if mark.image >= len(self.named_images):
                raise self.error(
                    f"a mark in image {mark.image}, of {len(self.named_images)} images",
                    "images are counted from 0",
                )

    def message(self, turn: dict[str, Any], where: str) -> Message:
        role = turn.get("role")
        if role not in ROLES:
            what = f"{where} has the role {shown_role(role)}"
            raise self.error(what, f"use one of {', '.join(ROLES)}")
        self.check_weight(turn, where)
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
        known = ("text", *IMAGE_TYPES)
        kind = item.get("type", next((key for key in known if key in item), None))
        if kind in ("text", "name"):
            if not isinstance(item.get("text"), str):
                what = f"{where}.text is {json_kind(item.get('text'))}"
                raise self.error(what, "write it as a string")
            return {"type": kind, "text": item["text"]}
        if kind == "mark":
            self.marks.append(read_mark(self, item, where))
            return {"type": "mark"}
        if kind not in IMAGE_TYPES:
            what = f"{where} has the type {shown_role(kind)}"
            raise self.error(what, "use text, image, image_url, name or mark")
        if role == "assistant":
            what = f"{where} is an image in an answer"
            raise self.error(what, "answers are text; move the image")
        self.named_images.append(self.content_image(item, where))
        return {"type": "image"}

    def content_image(self, item: dict[str, Any], where: str) -> str:
        for key in RESIZING_KEYS:
            if item.get(key) is not None:
                raise self.error(f"{where} has `{key}`", "set data.min_pixels and max_pixels")
        value = next((item[key] for key in IMAGE_TYPES if item.get(key) is not None), None)
        if isinstance(value, dict):
            value = value.get("url") or value.get("bytes") or value.get("path")
        if isinstance(value, str) and value.strip():
            return value
        keys = ", ".join(f"`{key}`" for key in list(item)[:8] if key != "type")
        raise self.error(
            f"{where} has no image under `image` or `image_url`, only {keys or 'its type'}",
            "write a data URI, base64 text or a path under `image`",
        )
