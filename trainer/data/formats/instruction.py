"""Read records whose keys are columns: an instruction and its response, maybe with images."""

from typing import Any

from trainer.config.reading import ColumnsConfig
from trainer.data.errors import Source
from trainer.data.formats.beside import Beside
from trainer.data.formats.markers import IMAGE, without_lines_of_images
from trainer.data.formats.parts import shown_keys
from trainer.data.formats.template import ROLES, columns_of, has_column, put_together, template_of
from trainer.data.records import ChatRecord, Message, PromptRecord

USUAL_NAMES = {
    "prompt": ("instruction", "question", "prompt", "query"),
    "input": ("input", "context"),
    "response": ("response", "answer", "output", "completion"),
    "system": ("system",),
    "image": ("image", "images"),
}


COLUMNS = {name for names in USUAL_NAMES.values() for name in names}


def is_plain_pair(value: dict[str, Any]) -> bool:
    """Whether an object has no more than a native record's prompt and response."""
    return value.keys() & COLUMNS == {"prompt", "response"}


def claims(value: dict[str, Any], columns: ColumnsConfig) -> bool:
    """Whether an object has a question and a place for its answer."""
    asked = _claims(value, "prompt", columns) or bool(_there(value, "input", columns))
    return asked and _claims(value, "response", columns)


def _claims(value: dict[str, Any], role: str, columns: ColumnsConfig) -> bool:
    template = template_of(columns, role)
    named = columns_of(template) if template else ()
    return (
        any(has_column(value, it) for it in named) if named else bool(_there(value, role, columns))
    )


def read(
    value: dict[str, Any], source: Source, columns: ColumnsConfig
) -> PromptRecord | ChatRecord:
    """Return the record in an object; raises RecordError."""
    return _Instruction(source, value, columns).record()


def _there(value: dict[str, Any], role: str, columns: ColumnsConfig) -> list[str]:
    """Return the columns of an object that may play a role."""
    mapped = getattr(columns, role)
    names = (mapped,) if mapped is not None else USUAL_NAMES[role]
    return [name for name in names if name in value]


class _Instruction(Beside):
    def __init__(self, source: Source, value: dict[str, Any], columns: ColumnsConfig) -> None:
        self.columns = columns
        self.value = value
        images = _there(value, "image", columns)
        super().__init__(source, {"images": value[images[0]]} if images else {})

    def record(self) -> PromptRecord | ChatRecord:
        response = self.column("response", needed=True)
        asked = self.question()
        if not asked:
            raise self.error("no question", "fill the column, or name it in data.columns.prompt")
        if not response:
            raise self.error("no answer to train", "fill the column of the response")
        system = self.column("system")
        if not self.beside and not system:
            return PromptRecord(source=self.source, prompt=asked, response=response)
        return self.conversation(system, asked, response)

    def question(self) -> str:
        if self.columns.question_template:
            return self.column("prompt")
        question, below = self.column("prompt"), self.column("input")
        return "\n".join(text for text in (question, below) if text)

    def conversation(self, system: str, asked: str, response: str) -> ChatRecord:
        if self.beside and IMAGE not in asked:
            asked = IMAGE * len(self.beside) + asked
        if self.beside:
            asked = without_lines_of_images(asked)
            content = self.content(asked, "the question", "user")
        else:
            content = asked
        messages: list[Message] = [
            {"role": "user", "content": content},
            {"role": "assistant", "content": response},
        ]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        return self.chat({}, messages)

    def column(self, role: str, *, needed: bool = False) -> str:
        """Return the text of a role, empty where there is none; raises RecordError."""
        if template := template_of(self.columns, role):
            return put_together(template, self.value, self, ROLES[role])
        names = _there(self.value, role, self.columns)
        mapped = getattr(self.columns, role)
        if not names and (needed or mapped is not None):
            wanted = f"column `{mapped}`" if mapped else f"column for the {role}"
            what = f"no {wanted}, only {shown_keys(self.value)}"
            raise self.error(what, f"name it in data.columns.{role}")
        filled = [name for name in names if self.value[name] not in (None, "")]
        if len(filled) > 1:
            what = f"`{filled[0]}` and `{filled[1]}` could both be the {role}"
            raise self.error(what, f"name one in data.columns.{role}")
        return self.text(self.value, filled[0]) if filled else ""
