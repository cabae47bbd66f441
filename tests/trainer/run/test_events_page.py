"""docs/events.md and trainer/run/events.py say the same."""

import re
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from trainer.run.events import (
    SCHEMA_VERSION,
    Event,
    GpuSample,
    MonitorEvent,
    Telemetry,
    TrainerEvent,
)

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
FILES: dict[str, tuple[type, ...]] = {
    "Every line": (Event,),
    "events.jsonl": get_args(TrainerEvent),
    "monitor.jsonl": get_args(MonitorEvent),
    "telemetry.jsonl": (Telemetry, GpuSample),
}
PLAIN = {int: "integer", float: "number", str: "text", bool: "true or false", Any: "any"}
UNIT_OF_SUFFIX = {
    "_seconds": "s",
    "seconds": "s",
    "_bytes": "bytes",
    "bytes": "bytes",
    "_watts": "W",
    "_celsius": "°C",
    "_mhz": "MHz",
    "_share": "0 to 1",
    "tokens_per_second": "tokens/s",
    "samples_per_second": "samples/s",
}


def type_in_words(annotation: Any) -> str:
    """Return how the page names the type of a field."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if is_dataclass(annotation):
        return "gpu"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {type_in_words(arguments[0])}"
    if origin is dict:
        return f"object of {type_in_words(arguments[1])}"
    assert origin in (Union, UnionType), annotation
    known = [type_in_words(argument) for argument in arguments if argument is not NoneType]
    return " or ".join([*known, "null"])


def name_of(event: type) -> str:
    """Return the heading under which the page has a type."""
    for field in fields(event):
        if field.name == "type":
            return str(field.default)
    return {Event: "common fields", GpuSample: "gpu"}[event]


def own_fields(event: type) -> list[Field[Any]]:
    """Return the fields that the page lists under a type."""
    common = {field.name for field in fields(Event)} if event is not Event else set[str]()
    return [field for field in fields(event) if field.name not in common | {"type"}]


def is_optional(field: Field[Any]) -> bool:
    """Return whether a line may lack the field."""
    return field.default is not MISSING or field.default_factory is not MISSING


def in_code() -> dict[str, dict[str, dict[str, tuple[str, bool]]]]:
    """Return type and optionality of each field, by file and event."""
    return {
        file: {
            name_of(event): {
                field.name: (type_in_words(get_type_hints(event)[field.name]), is_optional(field))
                for field in own_fields(event)
            }
            for event in events
        }
        for file, events in FILES.items()
    }


def rows_on_page() -> list[tuple[str, str, str, str, str, str]]:
    """Return (file, event, field, type, unit, meaning) of every table row."""
    rows: list[tuple[str, str, str, str, str, str]] = []
    file = event = ""
    for line in PAGE.read_text().splitlines():
        if heading := re.fullmatch(r"## `?([^`]+)`?", line):
            file = heading[1]
        elif heading := re.fullmatch(r"### `?([^`]+)`?", line):
            event = heading[1]
            rows.append((file, event, "", "", "", ""))
        elif row := re.fullmatch(r"\| `(\w+)` \| (.*) \| (.*) \| (.*) \|", line):
            rows.append((file, event, row[1], row[2], row[3], row[4]))
    return rows


def on_page() -> dict[str, dict[str, dict[str, tuple[str, bool]]]]:
    """Return what the page says in the form of `in_code`."""
    page: dict[str, dict[str, dict[str, tuple[str, bool]]]] = {}
    for file, event, field, type_, _unit, _meaning in rows_on_page():
        known = page.setdefault(file, {}).setdefault(event, {})
        if field:
            assert field not in known, f"{event}.{field} is on the page twice"
            known[field] = (type_.removesuffix("; optional"), type_.endswith("; optional"))
    return page


@pytest.mark.parametrize("file", FILES)
def test_the_page_has_every_event_and_field_of_a_file_and_no_other(file: str):
    assert on_page()[file] == in_code()[file]


def test_the_page_names_no_file_that_the_code_does_not_have():
    assert list(on_page()) == list(FILES)


def test_every_field_on_the_page_has_a_meaning_and_the_unit_its_name_promises():
    for _file, event, field, _type, unit, meaning in rows_on_page():
        if not field:
            continue
        assert meaning.strip(), f"{event}.{field} has no meaning"
        promised = [u for suffix, u in UNIT_OF_SUFFIX.items() if field.endswith(suffix)]
        if promised:
            assert unit == promised[-1], f"{event}.{field}: {unit} instead of {promised[-1]}"


def test_the_page_says_the_version_of_the_schema():
    assert f"Schema version {SCHEMA_VERSION}." in PAGE.read_text()
