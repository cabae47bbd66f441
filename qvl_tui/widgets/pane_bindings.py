"""The keys that lead from pane to pane, on every screen that has some."""

from collections.abc import Iterable

from textual.binding import Binding


def pane_bindings(screen: str, titles: Iterable[str]) -> tuple[Binding, ...]:
    """Return a key for each pane by its number, for the next one and for the one before."""
    numbered = (
        _hidden(str(number), f"pane({number})", title, f"{screen}.pane-{number}", f"Show {title}")
        for number, title in enumerate(titles, 1)
    )
    return (
        *numbered,
        _hidden("tab", "next(1)", "next", f"{screen}.next-pane", "Next pane"),
        _hidden("shift+tab", "next(-1)", "previous", f"{screen}.pane-before", "Pane before"),
    )


def _hidden(key: str, action: str, words: str, name: str, tooltip: str) -> Binding:
    return Binding(key, action, words, show=False, id=name, tooltip=tooltip)
