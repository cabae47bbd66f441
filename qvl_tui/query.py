"""The small language that filters runs: `state:failed lr>1e-4 name:shapes -tune.rank=16`."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast

from trainer.words.lines import GLYPHS

Kind = Literal["text", "number", "time", "state", "any"]  # any: an option of the configuration
Comparison = Literal[":", "=", "!=", "<", "<=", ">", ">="]
Facts = Mapping[str, object]  # what is known of a run, by key; None: unknown

KEYS: dict[str, Kind] = {
    "state": "state",
    "name": "text",
    "model": "text",
    "method": "text",
    "note": "text",
    "reason": "text",
    "step": "number",
    "total": "number",
    "progress": "number",
    "loss": "number",
    "val": "number",
    "speed": "number",
    "attempt": "number",
    "alerts": "number",
    "skipped": "number",
    "age": "time",
    "elapsed": "time",
    "left": "time",
}
ALIASES = {"lr": "optimizer.learning_rate"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
ORDER = ("<", "<=", ">", ">=")

_TERM = re.compile(
    r"(?P<not>-?)(?:(?P<key>[A-Za-z_][\w.]*)(?P<op>[<>!]=|[:=<>]))?(?P<rest>.*)", re.DOTALL
)
_TOKEN = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_NUMBER = re.compile(r"[+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


class QueryError(ValueError):
    """What is wrong with a query, in words for the person who types it."""


@dataclass(frozen=True)
class Term:
    """One condition; a word without a key is looked for in the name and the model."""

    key: str
    comparison: Comparison
    wanted: tuple[str, ...]  # one of them
    number: float | None = None  # what is wanted, as a number
    negated: bool = False

    def matches(self, facts: Facts) -> bool:
        """Return whether a run meets the condition; what is unknown meets none."""
        return self._holds(facts) != self.negated

    def _holds(self, facts: Facts) -> bool:
        if not self.key:
            return any(_contains(facts.get(key), self.wanted) for key in ("name", "model"))
        value = facts.get(self.key)
        if self.number is not None and _is_number(value):
            return _compare(cast("float", value), self.comparison, self.number)
        if self.comparison in ORDER:
            return False
        if self.comparison == ":":
            return _contains(value, self.wanted)
        return _equals(value, self.wanted) == (self.comparison == "=")


@dataclass(frozen=True)
class Query:
    """Conditions that all have to be met; none: every run meets them."""

    terms: tuple[Term, ...] = ()

    def matches(self, facts: Facts) -> bool:
        """Return whether a run meets every condition."""
        return all(term.matches(facts) for term in self.terms)


def parse_query(text: str, options: Collection[str] = ()) -> Query:
    """Return the query; `options` are the dotted keys of configurations that are known.

    Raises QueryError for a key nobody knows, with the nearest one, and for a broken number.
    """
    terms = (_term(token, options) for token in _TOKEN.findall(text))
    return Query(tuple(term for term in terms if term))


def _term(token: str, options: Collection[str]) -> Term | None:
    match = _TERM.fullmatch(token)
    assert match is not None
    value = match["rest"].replace('"', "")
    negated = bool(match["not"])
    if match["key"] is None:
        return Term("", ":", (value,), negated=negated) if value else None
    key, kind = _known_key(match["key"], options)
    comparison = cast("Comparison", match["op"])
    said = f"{match['key']}{comparison}"
    wanted = tuple(value.split(",")) if kind in ("text", "state", "any") else (value,)
    wanted = tuple(part for part in wanted if part) or ("",)
    number = _wanted_number(value, kind, comparison, said)
    if kind == "state":
        _check_states(wanted)
    return Term(key, comparison, wanted, number, negated)


def _known_key(given: str, options: Collection[str]) -> tuple[str, Kind]:
    name = given.lower()
    if name in KEYS:
        return name, KEYS[name]
    if name in ALIASES:
        return ALIASES[name], "number"
    if name in options:
        return name, "any"
    ends = sorted(option for option in options if option.endswith(f".{name}"))
    if len(ends) == 1:
        return ends[0], "any"
    if ends:
        raise QueryError(f"{given} is {_or(ends)}; write which")
    raise QueryError(f"no key is called {given}{_hint(name, options)}")


def _hint(name: str, options: Collection[str]) -> str:
    last_parts = {option.rpartition(".")[2]: option for option in options}
    names = [*KEYS, *ALIASES, *options, *last_parts]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"; the nearest is {near[0]}"
    return f"; there are {', '.join([*KEYS, *ALIASES])} and the options of the configuration"


def _wanted_number(value: str, kind: Kind, comparison: str, said: str) -> float | None:
    if kind == "time":
        return _seconds(value, said)
    if kind in ("text", "state"):
        if comparison in ORDER:
            raise QueryError(f"{said} compares words; write {said.rstrip('<=>')}:word")
        return None
    number = _number(value)
    if number is None and (kind == "number" or comparison in ORDER):
        raise QueryError(f"{said} wants a number{_but_not(value)}; such as {said}1e-4")
    return number


def _number(text: str) -> float | None:
    share = text.endswith("%")
    digits = text.removesuffix("%")
    if not _NUMBER.fullmatch(digits):
        return None
    number = float(digits.replace(",", ""))
    return number / 100 if share else number


def _seconds(text: str, said: str) -> float:
    number = _number(text[:-1]) if text[-1:].lower() in SECONDS else None
    if number is None:
        raise QueryError(f"{said} wants a time{_but_not(text)}; such as {said}2d (s, m, h, d, w)")
    return number * SECONDS[text[-1].lower()]


def _but_not(value: str) -> str:
    return f", {value} is none" if value else ""


def _check_states(wanted: Sequence[str]) -> None:
    for word in wanted:
        if any(word.lower() in state for state in GLYPHS):
            continue
        near = get_close_matches(word.lower(), list(GLYPHS), n=1, cutoff=0.5)
        hint = f"the nearest is {near[0]}" if near else f"they are {', '.join(GLYPHS)}"
        raise QueryError(f"no state is called {word}; {hint}")


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare(value: float, comparison: Comparison, wanted: float) -> bool:
    same = math.isclose(value, wanted, rel_tol=1e-9)
    match comparison:
        case ":" | "=":
            return same
        case "!=":
            return not same
        case "<":
            return value < wanted and not same
        case "<=":
            return value < wanted or same
        case ">":
            return value > wanted and not same
        case ">=":
            return value > wanted or same


def _contains(value: object, wanted: Sequence[str]) -> bool:
    return any(word.casefold() in text for word in wanted for text in _texts(value))


def _equals(value: object, wanted: Sequence[str]) -> bool:
    return any(word.casefold() == text for word in wanted for text in _texts(value))


def _texts(value: object) -> list[str]:
    """Return a value as it is written in a configuration, without capitals; a list as its parts."""
    if isinstance(value, list | tuple):
        return [text for part in cast("Sequence[object]", value) for text in _texts(part)]
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value).casefold()]
