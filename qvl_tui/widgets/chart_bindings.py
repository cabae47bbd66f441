"""The keys of the charts."""

from textual.binding import Binding


def _key(keys: str, action: str, words: str, tooltip: str, shown: str = "") -> Binding:
    """Return a binding; it is in the footer where `shown` says how its key is written there."""
    return Binding(
        keys,
        action,
        words,
        show=bool(shown),
        key_display=shown or None,
        tooltip=tooltip,
        id=f"charts.{words.replace(' ', '_')}",
    )


CHART_BINDINGS = (
    _key("left", "cursor(-1)", "cursor", "Read all charts one point to the left", "←→"),
    _key("right", "cursor(1)", "right", "Read all charts one point to the right"),
    _key("shift+left", "cursor(-10)", "far left", "Move the cursor by ten points"),
    _key("shift+right", "cursor(10)", "far right", "Move the cursor by ten points"),
    _key("home", "first", "first", "Put the cursor on the first point"),
    _key("end", "live", "live end", "Look at the newest points and follow them"),
    _key("up", "choose(-1)", "chart", "Choose the chart before", "↑↓"),
    _key("down", "choose(1)", "next chart", "Choose the next chart"),
    _key("enter", "full", "full", "Show the chosen chart alone, and all again", "enter"),
    _key("plus,equals_sign", "zoom(2)", "zoom", "Look closer", "+-"),
    _key("minus", "zoom(0.5)", "zoom out", "Look from further away"),
    _key("less_than_sign", "pan(-0.5)", "earlier", "Look at what was before"),
    _key("greater_than_sign", "pan(0.5)", "later", "Look at what came after"),
    _key("0", "whole", "whole run", "Look at the whole run"),
    _key("s", "smooth", "smooth", "Smooth more, and after the most not at all", "s"),
    _key("y", "log", "log y", "Logarithmic y-axis of the chosen chart", "y"),
    _key("a", "axis", "x-axis", "Next x-axis: steps, epochs, samples, tokens, time", "a"),
    _key("g", "columns", "columns", "How many charts lie side by side"),
    _key("slash", "filter", "filter", "Show the charts whose name fits", "/"),
    _key("pageup", "page(-1)", "page before", "The charts before these"),
    _key("pagedown", "page(1)", "next page", "The charts after these"),
    _key("E", "export", "export", "Save the charts that are seen as CSV and SVG", "E"),
    _key("escape", "let_go", "let go", "Cursor off, then all charts, then no filter"),
)
