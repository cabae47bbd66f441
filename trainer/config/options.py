"""The options as a flat list: key, type, default, limits and description, read off the schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from trainer.config.schema import RunConfig

Kind = Literal[
    "text",
    "whole number",
    "number",
    "switch",
    "choice",
    "folder",
    "files",
    "list",
    "list or text",
    "list of groups",
]
KINDS: dict[str, Kind] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "switch",
    "array": "list",
}
LIMITS = (
    (("minimum", "ge"), "at least {}"),
    (("exclusiveMinimum", "gt"), "above {}"),
    (("maximum", "le"), "at most {}"),
    (("exclusiveMaximum", "lt"), "below {}"),
    (("pattern",), "matching `{}`"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a configuration."""

    key: str
    kind: Kind
    nullable: bool
    required: bool
    default: object
    choices: tuple[str, ...]
    allowed: str
    description: str


@cache
def options() -> dict[str, Option]:
    """Return every option by its dotted key, in the schema's order."""
    schema = RunConfig.model_json_schema()
    return {
        key: _option(key, spec, parent)
        for key, spec, parent in _walk(schema, schema)
        if "$ref" not in spec
    }


@cache
def sections() -> dict[str, str]:
    """Return every section's dotted name with what it is about; one inside another comes after."""
    schema = RunConfig.model_json_schema()
    return {
        key: _section(schema, spec)["description"]
        for key, spec, _ in _walk(schema, schema)
        if "$ref" in spec
    }


def _walk(
    schema: dict[str, Any], parent: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield dotted key, specification and the section it lies in, of options and sections."""
    for name, spec in parent["properties"].items():
        yield f"{prefix}{name}", spec, parent
        if "$ref" in spec:
            yield from _walk(schema, _section(schema, spec), f"{prefix}{name}.")


def nearest_key(key: str) -> str | None:
    """Return the known key that a wrong one was probably meant to be."""
    known = [*options(), *sections()]
    leaf = key.rpartition(".")[2]
    namesakes = [name for name in known if name.rpartition(".")[2] == leaf]
    abbreviated = [name for name in known if _initials(name) == leaf.lower()]
    if namesakes or abbreviated:
        return [*namesakes, *abbreviated][0]
    if close := get_close_matches(key, known, n=1, cutoff=0.75):
        return close[0]
    leaves = {name.rpartition(".")[2]: name for name in reversed(known)}
    section = key.rpartition(".")[0]
    leaves |= {name.rpartition(".")[2]: name for name in known if name.startswith(f"{section}.")}
    close = get_close_matches(leaf, leaves, n=1, cutoff=0.6)
    return leaves[close[0]] if close else None


def _initials(key: str) -> str:
    return "".join(word[:1] for word in key.rpartition(".")[2].split("_"))


def _section(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return schema["$defs"][spec["$ref"].rpartition("/")[2]]


def _option(key: str, spec: dict[str, Any], parent: dict[str, Any]) -> Option:
    kinds: list[dict[str, Any]] = spec.get("anyOf", [spec])
    meant = [kind for kind in kinds if kind.get("type") != "null"]
    first = meant[0]
    allowed = [_allowed(each) for each in meant]
    nullable = len(meant) < len(kinds)
    return Option(
        key=key,
        kind="list or text" if len(meant) > 1 else _kind(first),
        nullable=nullable,
        required=key.rpartition(".")[2] in parent.get("required", ()),
        default=spec.get("default"),
        choices=tuple(first.get("enum", first.get("items", {}).get("enum", ()))),
        allowed=" or ".join([*allowed, "null"] if nullable else allowed),
        description=spec["description"],
    )


def _kind(spec: dict[str, Any]) -> Kind:
    if "enum" in spec:
        return "choice"
    if spec.get("format") == "folder":
        return "folder"
    items: dict[str, Any] = spec.get("items", {})
    if items.get("format") == "file":
        return "files"
    if "oneOf" in items:
        return "list of groups"
    return KINDS[spec["type"]]


def _allowed(spec: dict[str, Any]) -> str:
    """Return what a value has to be, to go after `give`."""
    if "enum" in spec:
        return "one of " + ", ".join(spec["enum"])
    if spec["type"] == "array":
        return _allowed_list(spec)
    word = {
        "string": "a folder" if spec.get("format") == "folder" else "text",
        "boolean": "true or false",
    }.get(spec["type"])
    limits = [form.format(spec[name]) for names, form in LIMITS for name in names if name in spec]
    return " ".join([word or f"a {KINDS[spec['type']]}", " and ".join(limits)]).strip()


def _allowed_list(spec: dict[str, Any]) -> str:
    if "prefixItems" in spec:
        return f"a list of {len(spec['prefixItems'])} numbers"
    if "oneOf" in spec["items"]:
        return "a list of `{name: ..., params: {...}}`"
    if spec["items"].get("format") == "file":
        return "a file or a list of files" + (", at least one" if "minItems" in spec else "")
    return "a list of " + (", ".join(spec["items"].get("enum", ())) or "texts")
