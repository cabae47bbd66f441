"""Read YAML text into settings that remember where they were stated."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.composer import ComposerError

from trainer.config.errors import ConfigError

Key = tuple[str, ...]
TIMESTAMP = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was stated, and the folder that relative paths there start from."""

    label: str
    folder: Path
    line: int | None = None

    def problem(self, key: Key | str, what: str) -> str:
        """Return the problem as one located line that prints."""
        dotted = key if isinstance(key, str) else ".".join(key)
        place = ":".join(str(part) for part in (self.label, self.line, dotted) if part)
        text = f"{place}: {what}"
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that somebody stated."""

    value: object
    origin: Origin


Settings = dict[Key, Setting]


class _Loader(yaml.SafeLoader):
    """Plain data only: no tags, anchors or aliases, and dates stay text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node; raise ComposerError for what would hide or multiply values."""
        event = cast("Any", self.peek_event())  # pyright: ignore[reportUnknownMemberType]
        if event.anchor or getattr(event, "tag", None):
            msg = "anchors, aliases and tags are not read here; write the value out"
            raise ComposerError(None, None, msg, event.start_mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Reader:
    """One document on its way to settings; adds every problem it meets to a list."""

    def __init__(self, text: str, origin: Origin, problems: list[str]) -> None:
        self.loader = _Loader(text)
        self.origin = origin
        self.problems = problems

    def root(self) -> yaml.Node | None:
        """Return the document's root node, None for an empty document."""
        return self.loader.get_single_node()

    def at(self, node: yaml.Node) -> Origin:
        """Return the place of a node."""
        return Origin(self.origin.label, self.origin.folder, node.start_mark.line + 1)

    def settings(self, node: yaml.Node, key: Key, place: Origin) -> Iterator[tuple[Key, Setting]]:
        """Yield the leaves under a node; a list is a leaf."""
        if isinstance(node, yaml.MappingNode):
            for name, value, here in self.pairs(node, key):
                yield from self.settings(value, (*key, name), here)
        else:
            yield key, Setting(self.value(node, key), place)

    def pairs(self, node: yaml.MappingNode, key: Key) -> Iterator[tuple[str, yaml.Node, Origin]]:
        """Yield the entries of a mapping, reporting keys that are repeated or no plain text."""
        seen: dict[str, int] = {}
        for name_node, value in node.value:
            place = self.at(name_node)
            if not isinstance(name_node, yaml.ScalarNode):
                self.problems.append(place.problem(key, "has a key that is not text; rename it"))
                continue
            name = str(name_node.value)
            if name in seen:
                what = f"is stated in line {seen[name]} already; remove one of the two"
                self.problems.append(place.problem((*key, name), what))
            seen.setdefault(name, name_node.start_mark.line + 1)
            yield name, value, place

    def value(self, node: yaml.Node, key: Key) -> object:
        """Return a node as plain data: text, numbers, booleans, null, lists and dicts."""
        if isinstance(node, yaml.MappingNode):
            return {
                name: self.value(child, (*key, name)) for name, child, _ in self.pairs(node, key)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, key) for child in node.value]
        try:
            found: object = self.loader.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        except ValueError as error:
            self.problems.append(self.at(node).problem(key, f"{error}; put text in quotes"))
            return None
        return found


def read_settings(text: str, origin: Origin, problems: list[str], prefix: Key = ()) -> Settings:
    """Return the leaves of a YAML document, each under its key with `prefix` before it.

    Without a prefix the document has to be a mapping. Single problems are added to the list;
    raises ConfigError where the document cannot be read at all.
    """
    try:
        reader = _Reader(text, origin, problems)
        root = reader.root()
        if root is not None and (prefix or isinstance(root, yaml.MappingNode)):
            return dict(reader.settings(root, prefix, origin))
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, origin)]) from None
    except RecursionError:
        raise ConfigError([origin.problem("", "is nested too deeply; flatten it")]) from None
    if prefix:
        return {prefix: Setting(None, origin)}
    what = "is not a mapping" if root else "is empty"
    raise ConfigError([origin.problem("", f"{what}; write `key: value` lines")])


def _syntax_problem(error: yaml.YAMLError, origin: Origin) -> str:
    """Return a YAML error as one line with the place the parser had reached."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return origin.problem("", f"{' '.join(str(error).split())}; save it as plain UTF-8 text")
    line = error.problem_mark.line + 1
    place = Origin(origin.label, origin.folder, None if origin.label == "command line" else line)
    remedy = "" if ";" in str(error.problem) else "; mend the YAML, or put text in quotes"
    return place.problem("", f"{error.problem or error.context}{remedy}")
