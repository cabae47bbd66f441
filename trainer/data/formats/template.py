"""Put a text together from the columns of a record."""

from typing import Any

import orjson

from trainer.config.reading import ColumnsConfig, pieces_of
from trainer.data.formats.parts import Parts, shown_keys

ROLES = {"prompt": "question_template", "response": "answer_template", "system": "system_template"}


def template_of(columns: ColumnsConfig, role: str) -> str | None:
    """Return the template that a role has, None where it has a column of its own."""
    return getattr(columns, ROLES[role]) if role in ROLES else None


def columns_of(template: str) -> list[str]:
    """Return the columns that a template names."""
    return [column for _, column in pieces_of(template) if column is not None]


def put_together(template: str, value: dict[str, Any], parts: Parts, option: str) -> str:
    """Return a template with the columns of an object in it, empty where all of them are.

    Args:
        template: The text; {column} stands for a column.
        value: The object.
        parts: Says what is wrong, and where.
        option: What the template is called.

    Raises:
        RecordError: A column is not there.

    """
    texts: dict[str, str] = {}
    for column in columns_of(template):
        if column not in value:
            what = f"no column `{column}`, only {shown_keys(value)}"
            raise parts.error(what, f"name one that is there in data.columns.{option}")
        texts[column] = _text(value[column])
    if texts and not any(texts.values()):
        return ""
    pieces = ((text, texts[column] if column else "") for text, column in pieces_of(template))
    return "".join(text + column for text, column in pieces)


def _text(value: Any) -> str:
    """A column's value as text: what is no text as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
