"""Read the conversations of LLaVA and ShareGPT, as Qwen's fine-tuning scripts use them."""

from typing import Any

from trainer.data.errors import Source
from trainer.data.formats.beside import Beside
from trainer.data.formats.markers import without_lines_of_images
from trainer.data.formats.parts import shown_role
from trainer.data.records import ChatRecord, Message

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


def claims(value: dict[str, Any]) -> bool:
    """Whether an object has what such a record needs."""
    return "conversations" in value


def read(value: dict[str, Any], source: Source) -> ChatRecord:
    """Return the record in an object; raises RecordError."""
    return _Llava(source, value).record(value)


class _Llava(Beside):
    def record(self, value: dict[str, Any]) -> ChatRecord:
        turns = self.objects(value.get("conversations"), "`conversations`")
        messages = [self.turn(turn, f"conversations[{i}]") for i, turn in enumerate(turns)]
        system = self.optional_text(value, "system")
        if system:
            messages.insert(0, {"role": "system", "content": system})
        return self.chat(value, messages)

    def turn(self, turn: dict[str, Any], where: str) -> Message:
        speaker = turn.get("from")
        role = ROLES.get(speaker) if isinstance(speaker, str) else None
        if role is None:
            what = f"{where} is from {shown_role(speaker)}"
            raise self.error(what, f"use one of {', '.join(ROLES)}")
        self.check_weight(turn, where)
        text = self.text_of_turn(turn, "value", where)
        return {"role": role, "content": self.content(without_lines_of_images(text), where, role)}
