"""The line of keys at the bottom: whole entries only, the important ones when it is narrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from qvl_tui.widgets.keys import is_typed, shown_key

BETWEEN = "  "
RULE = "  │  "
MARGIN = 1


@dataclass(frozen=True)
class Entry:
    """A key, or keys that belong together, and what they do."""

    keys: str
    words: str
    key: str  # that a click presses
    enabled: bool = True

    @property
    def width(self) -> int:
        """Cells it takes."""
        return cell_len(self.keys) + 1 + cell_len(self.words)


Sections = tuple[tuple[Entry, ...], ...]  # of the screen, of what has the focus, of the app


def fitting(sections: Sections, width: int, *, steady: bool = False) -> Sections:
    """Return the entries that fit into `width` cells, in their order.

    What holds everywhere comes first, then the first entry of the screen, the first of what has
    the focus, the second of the screen, and so on; what cannot be done now comes last, but not
    where the entries are to be `steady`.
    """
    *local, everywhere = sections
    ranked = [((False, -1, place), len(local), entry) for place, entry in enumerate(everywhere)]
    for number, section in enumerate(local):
        late = [not entry.enabled and not steady for entry in section]
        live_first = sorted(zip(late, section, strict=True), key=lambda it: it[0])
        ranked += [
            ((is_late, place, number), number, entry)
            for place, (is_late, entry) in enumerate(live_first)
        ]
    ranked.sort(key=lambda it: it[0])
    kept: list[list[Entry]] = [[] for _ in sections]
    for _, number, entry in ranked:
        kept[number].append(entry)
        if _width(kept) > width:
            kept[number].pop()
    return tuple(
        tuple(entry for entry in section if entry in chosen)
        for section, chosen in zip(sections, kept, strict=True)
    )


def _width(sections: Sequence[Sequence[Entry]]) -> int:
    shown = [section for section in sections if section]
    entries = sum(entry.width for section in shown for entry in section)
    gaps = sum(len(section) - 1 for section in shown) * len(BETWEEN)
    return 2 * MARGIN + entries + gaps + max(len(shown) - 1, 0) * len(RULE)


class KeyBar(Widget):
    """The keys of the screen, of what has the focus, and of the app.

    Steady: keys that make no sense now keep their places, for where that changes all the time.
    """

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        color: $footer-description-foreground;
        background: $footer-background;
        & > .key-bar--key { color: $footer-key-foreground; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key"}

    def __init__(self, *, steady: bool = False) -> None:
        super().__init__()
        self._steady = steady
        self._sections: Sections = ((), (), ())
        self._places: list[tuple[int, int, Entry]] = []  # first cell, cell after the last

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._look)
        self._look(self.screen)

    def _look(self, screen: Screen[object]) -> None:
        """Draw anew if something changed."""
        sections = _sections(screen)
        if sections != self._sections:
            self._sections = sections
            self.refresh()

    def render(self) -> Text:
        """Return the line, what holds everywhere at its right end."""
        shown = fitting(self._sections, self.size.width, steady=self._steady)
        line = Text(" " * MARGIN, no_wrap=True)
        self._places = []
        gap = self.size.width - _width(shown)
        for number, section in enumerate(shown):
            last = number == len(shown) - 1
            if section and line.cell_len > MARGIN:
                line.append(" " * len(RULE) if last else RULE, "dim")
            line.append(" " * gap if last else "")
            for place, entry in enumerate(section):
                line.append(BETWEEN if place else "")
                self._append(line, entry)
        return line

    def _append(self, line: Text, entry: Entry) -> None:
        start = line.cell_len
        key = self.get_component_rich_style("key-bar--key", partial=True)
        line.append(entry.keys, key if entry.enabled else "dim")
        line.append(f" {entry.words}", "" if entry.enabled else "dim")
        self._places.append((start, line.cell_len, entry))

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        for start, end, entry in self._places:
            if start <= event.x < end:
                self.app.simulate_key(entry.key)


def _sections(screen: Screen[object]) -> Sections:
    sections: tuple[dict[str, Entry], ...] = ({}, {}, {})
    for node, binding, enabled, _ in screen.active_bindings.values():
        if not binding.show or binding.system:
            continue
        number = 2 if isinstance(node, App) else 0 if isinstance(node, Screen) else 1
        group = binding.group.description if binding.group else ""
        key = shown_key(binding)
        if isinstance(screen.focused, Input) and is_typed(binding):
            continue
        known = sections[number].get(group or binding.action)
        if known is None:
            entry = Entry(key, group or binding.description, binding.key, enabled)
            sections[number][group or binding.action] = entry
        elif group:
            joined = Entry(known.keys + key, known.words, known.key, known.enabled or enabled)
            sections[number][group] = joined
    return tuple(tuple(section.values()) for section in sections)
