"""Turn pydantic's errors into located problems with a remedy."""

import json

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trainer.config.documents import Origin, Settings
from trainer.config.options import options, sections

LONGEST_SHOWN_VALUE = 60


def complaints(
    error: ValidationError, settings: Settings, file: Origin, *, with_missing: bool
) -> list[str]:
    """Return one problem for every option that is wrong; `file` stands for what nobody stated."""
    problems: dict[str, str] = {}
    for details in error.errors():
        if details["type"] == "missing" and not with_missing:
            continue
        key = _key(details)
        setting = settings.get(tuple(key.split(".")))
        origin = setting.origin if setting else file
        inside = _inside(key, details)
        what = _what_inside(details) if inside else _what(key, details)
        problems.setdefault(f"{key}{inside}", origin.problem(key, f"{inside}{what}"))
    return list(problems.values())


def _key(details: ErrorDetails) -> str:
    """Return the longest known key or section that an error's location starts with."""
    names = [str(part) for part in details["loc"]]
    dotted = [".".join(names[:count]) for count in range(len(names), 0, -1)]
    known = (key for key in dotted if key in options() or key in sections())
    return next(known, ".".join(names[:1]))


def _inside(key: str, details: ErrorDetails) -> str:
    """Return where in a list of groups an error lies, such as `entry 2, degrees: `; "" elsewhere.

    Of a range the place in it is left out: it shows in the value.
    """
    option = options().get(key)
    if option is None or option.kind != "list of groups":
        return ""
    steps = [part for part in details["loc"][key.count(".") + 1 :] if str(part)[:1] != "<"]
    words = [f"entry {part + 1}" for part in steps[:1] if isinstance(part, int)]
    words += [part for part in steps[1:] if isinstance(part, str)]
    return ", ".join(words) + ": " if words else ""


def _what_inside(details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        return str(details.get("ctx", {}).get("error", details["msg"]))
    remedy = details["msg"].replace("Input should", "it should", 1)
    return f"{shown(details['input'])} is not allowed; {remedy}"


def _what(key: str, details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        return str(details.get("ctx", {}).get("error", details["msg"]))
    option = options()[key]
    if details["type"] == "missing":
        return f"is missing; add it ({option.description})"
    value = shown(details["input"])
    if details["type"] == "string_type" and option.kind in ("text", "folder"):
        return f"{value} is not text; put it in quotes"
    return f"{value} is not allowed; give {option.allowed}"


def shown(value: object) -> str:
    """Return a value as YAML would spell it, short and printable."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= LONGEST_SHOWN_VALUE else text[:LONGEST_SHOWN_VALUE] + "..."
