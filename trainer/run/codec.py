"""Events become lines of JSON, and lines become events."""

from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast, get_args

import orjson

from trainer.run.events import AnyEvent, Step
from trainer.run.plain import NotPlain, make_plain

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_TYPES: dict[str, type[AnyEvent]] = {
    kind.__dataclass_fields__["type"].default: kind for kind in get_args(AnyEvent)
}
STEP_FIELDS = frozenset(it.name for it in fields(Step))


class UnknownEventType(ValueError):
    """A line is an event, of a type this version does not know."""


def encode(event: AnyEvent) -> bytes:
    """Return the event as one line of JSON.

    Values that are not finite become null, and lone surrogates, which UTF-8 cannot carry,
    become U+FFFD.
    """
    try:
        return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return orjson.dumps(in_utf8(asdict(event)), option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> AnyEvent:
    """Return the event of one line; unknown fields are ignored.

    Raises:
        UnknownEventType: The line is an event of another version.
        ValueError: The line is no JSON, or lacks a field, or a field holds something else.

    """
    return decode_fields(orjson.loads(line))


def decode_fields(given: Any) -> AnyEvent:
    """Return the event of one line that was parsed; raises what `decode` raises."""
    kind: Any = cast(dict[str, Any], given).get("type") if isinstance(given, dict) else None
    if not isinstance(kind, str):
        raise ValueError("it has no type, so it is no event")
    if kind not in _TYPES:
        raise UnknownEventType(f"{kind[:100]} is no event type of this version")
    named = cast(dict[str, Any], given)
    if kind == "step":
        named = _with_further(named)
    try:
        return make_plain(_TYPES[kind], named)
    except NotPlain:
        return _adapter(kind).validate_python(named)


def _with_further(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a step, its numbers of other names put among the further ones."""
    if given.keys() <= STEP_FIELDS:
        return given
    numbers = {name: it for name, it in given.items() if name not in STEP_FIELDS and is_number(it)}
    named = given.get("further", {})
    if not numbers or not isinstance(named, dict):
        return given
    return {**given, "further": {**numbers, **cast(dict[str, Any], named)}}


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of JSON is a number; true and false are none."""
    return type(value) in (int, float)


@cache
def _adapter(kind: str) -> "TypeAdapter[AnyEvent]":
    """Return the validator of one type, made when it is first met: a union takes 0.2 s to make.

    pydantic takes 0.2 s to import, so it is imported for the first line that is not plain.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(_TYPES[kind])


def in_utf8(value: Any) -> Any:
    """Return a value of JSON with the lone surrogates of every text in it replaced by U+FFFD."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            items = cast(dict[str, Any], value).items()
            return {in_utf8(key): in_utf8(item) for key, item in items}
        case list() | tuple():
            return [in_utf8(item) for item in cast(list[Any], value)]
        case _:
            return value
