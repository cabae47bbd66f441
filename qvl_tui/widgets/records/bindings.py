"""The keys of the Data screen."""

from textual.binding import Binding

from qvl_tui.widgets.pane_bindings import pane_bindings


def _shown(key: str, action: str, words: str, name: str, tooltip: str) -> Binding:
    return Binding(key, action, words, id=f"data.{name}", tooltip=tooltip)


def _hidden(key: str, action: str, words: str, name: str, tooltip: str) -> Binding:
    return Binding(key, action, words, show=False, id=f"data.{name}", tooltip=tooltip)


DATA_BINDINGS = (
    _shown("e", "epoch(1)", "epoch", "epoch", "As in the next epoch"),
    _hidden("E", "epoch(-1)", "epoch before", "epoch-before", "As in the epoch before"),
    _shown("a", "stored", "before/after", "stored", "As stored, or as the model sees it"),
    _shown("slash", "search", "search", "search", "Find a text in the records"),
    _hidden("n", "find(1)", "next match", "next-match", "The next match"),
    _hidden("N", "find(-1)", "match before", "match-before", "The match before"),
    _shown("p", "problem(1)", "next problem", "problem", "The next record that is skipped"),
    _hidden("P", "problem(-1)", "problem before", "problem-before", "The skipped one before"),
    _shown("g", "go_to", "go to", "go-to", "Go to a record by its number"),
    _shown("t", "bounds", "tokens", "bounds", "Set tokens apart, or do not"),
    _shown("v", "split", "train/validation", "split", "The other split"),
    _hidden("b", "marks", "boxes", "marks", "Draw the objects, or do not"),
    _hidden(
        "i",
        "turn_pictures",
        "pictures",
        "pictures",
        "Draw pictures with the terminal's graphics, with half blocks, or not at all",
    ),
    _hidden("right_square_bracket", "image(1)", "next image", "image", "The next image"),
    _hidden("left_square_bracket", "image(-1)", "image before", "image-before", "The one before"),
    _hidden("j", "record(1)", "next record", "next", "The next record, from any pane"),
    _hidden("k", "record(-1)", "record before", "before", "The one before, from any pane"),
    _hidden("f", "full", "full pane", "full", "The pane alone, and back"),
    _shown("escape", "back", "back", "back", "Back to where you came from"),
    *pane_bindings("data", ("Records", "Picture", "Conversation")),
)
