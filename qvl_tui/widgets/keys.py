"""Which keys do what on a screen, from its bindings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from textual.actions import parse
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen
from textual.widget import Widget

from qvl_tui.widgets.pane import Pane

NAMED_KEYS = ("enter", "escape", "delete", "backspace")  # that are a word, not a sign
FUNCTION_KEY = re.compile(r"f\d+")


@dataclass(frozen=True)
class Act:
    """Something a person can do: its keys, its name, what it does, and where."""

    keys: str  # as they are shown
    name: str
    meaning: str
    action: str
    node: DOMNode


@dataclass(frozen=True)
class Place:
    """Where keys hold: the screen, one of its panes, or everywhere."""

    title: str
    acts: tuple[Act, ...]


def places(screen: Screen[object]) -> list[Place]:
    """Return all that can be done on a screen: the focused part first, the whole app last."""
    nodes: list[DOMNode] = [screen, *_parts(screen), screen.app]
    told: set[str] = set()  # ids of bindings: relatives inherit them from each other
    found: dict[str, list[Act]] = {}
    for node in nodes:
        found.setdefault(_title(node), []).extend(_acts(node, told))
    return [Place(title, tuple(acts)) for title, acts in found.items() if acts]


def is_possible(act: Act) -> bool:
    """Whether the action can be done now."""
    namespace, name, parameters = parse(act.action)
    target = {"app": act.node.app, "screen": act.node.screen}.get(namespace, act.node)
    return bool(target.check_action(name, parameters))


def _parts(screen: Screen[object]) -> list[DOMNode]:
    """Return one widget of each class, those that have the focus first."""
    focused = list(screen.focused.ancestors_with_self) if screen.focused else []
    widgets = [node for node in focused if isinstance(node, Widget) and node is not screen]
    widgets += list(screen.walk_children(Widget))
    first: dict[type, DOMNode] = {}
    for node in widgets:
        if not isinstance(node, Screen):
            first.setdefault(type(node), node)
    return list(first.values())


def _acts(node: DOMNode, told: set[str]) -> Iterator[Act]:
    """Yield what the bindings of our own classes do; one line for the keys of one action."""
    by_action: dict[str, list[Binding]] = {}
    for binding in _own_bindings(type(node)):
        if binding.id not in told:
            by_action.setdefault(binding.action, []).append(binding)
    for action, bindings in by_action.items():
        alone = [replace(it, key_display=None) for it in bindings]  # not as in a footer's group
        keys = " ".join(dict.fromkeys(shown_key(it) for it in alone))
        first = bindings[0]
        told.update(it.id for it in bindings if it.id)
        yield Act(keys, first.description, first.tooltip or first.description, action, node)


def _own_bindings(kind: type) -> Iterator[Binding]:
    """Yield the bindings that carry an id, as ours do, the most derived class first."""
    seen: set[str] = set()
    for base in kind.__mro__:
        declared = vars(base).get("BINDINGS", ())
        for binding in Binding.make_bindings(it for it in declared if isinstance(it, Binding)):
            if binding.id and not binding.system and binding.key not in seen:
                seen.add(binding.key)
                yield binding


def shown_key(binding: Binding) -> str:
    """Return a key as the documents write it: `enter`, `F5`, `ctrl+p`, `shift+←`, `?`."""
    if binding.key_display:
        return binding.key_display
    modifiers, key = binding.parse_key()
    return "+".join([*modifiers, _name_of(key)])


def is_typed(binding: Binding) -> bool:
    """Whether the key writes a character where text is typed, however it is shown."""
    sign = shown_key(replace(binding, key_display=None))
    return sign == "space" or (len(sign) == 1 and sign.isascii())


def _name_of(key: str) -> str:
    if FUNCTION_KEY.fullmatch(key):
        return key.upper()
    return key if key in NAMED_KEYS else format_key(key)


def _title(node: DOMNode) -> str:
    """Return where keys hold: a class may say it as `help_title`, else its pane does."""
    if isinstance(node, App):
        return "Everywhere"
    said = getattr(type(node), "help_title", "")
    panes = [it.title for it in node.ancestors_with_self if isinstance(it, Pane)]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__)
    return said or next(iter(panes), "") or words.removesuffix(" Screen").capitalize()
