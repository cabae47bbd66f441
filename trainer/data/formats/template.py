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


def has_column(value: dict[str, Any], column: str) -> bool:
    """Whether an object has a column, or one that `column.key.0` looks into."""
    return column in value or column.partition(".")[0] in value


def _found(value: dict[str, Any], column: str) -> Any:
    """What is in a column, or inside it; None where there is nothing."""
    if column in value:
        return value[column]
    inside: Any = value
    for key in column.split("."):
        if isinstance(inside, dict):
            inside = inside.get(key)
        elif isinstance(inside, list) and key.isdecimal() and int(key) < len(inside):
            inside = inside[int(key)]
        else:
            return None
    return inside


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
        if not has_column(value, column):
            what = f"no column `{column}`, only {shown_keys(value)}"
            raise parts.error(what, f"name one that is there in data.columns.{option}")
        texts[column] = _text(_found(value, column))
    if texts and not any(texts.values()):
        return ""
    pieces = ((text, texts[column] if column else "") for text, column in pieces_of(template))
    return "".join(text + column for text, column in pieces)


def _text(value: Any) -> str:
    """A column's value as text: what is no text as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
