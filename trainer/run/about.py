"""What a person calls a run, and what they noted about it."""

from dataclasses import dataclass
from typing import Any, cast

import orjson

from trainer.run import durable
from trainer.run.layout import RunLayout
from trainer.run.regular import read_small

TITLE_CHARACTERS = 100
NOTE_CHARACTERS = 4_000


@dataclass(frozen=True)
class About:
    """Display name and note; empty where there is none."""

    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse what is too long to be shown: ValueError."""
        for name, text, most in (
            ("display name", self.title, TITLE_CHARACTERS),
            ("note", self.note, NOTE_CHARACTERS),
        ):
            if len(text) > most:
                raise ValueError(f"the {name} has {len(text)} characters; at most {most} fit")


def read_about(layout: RunLayout) -> About:
    """Return what is noted; nothing where the file is missing, damaged, or cannot be read."""
    try:
        given: Any = orjson.loads(read_small(layout.about))
    except (OSError, ValueError):
        return About()
    if not isinstance(given, dict):
        return About()
    known = cast(dict[str, Any], given)
    return About(_text(known, "title", TITLE_CHARACTERS), _text(known, "note", NOTE_CHARACTERS))


def _text(known: dict[str, Any], name: str, most: int) -> str:
    value = known.get(name)
    return value[:most] if isinstance(value, str) else ""


def write_about(layout: RunLayout, about: About) -> None:
    """Replace what is noted.

    Raises:
        OSError: Nothing was changed.

    """
    replacement = About(*(text.encode(errors="replace").decode() for text in _texts(about)))
    content = orjson.dumps(replacement, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    durable.replace_file(layout.about, content)


def _texts(about: About) -> tuple[str, str]:
    return about.title, about.note
