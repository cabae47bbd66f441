"""The line in which the list of runs is filtered."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

EXAMPLE = "filter: state:failed lr>1e-4 name:shapes"


class FilterBox(Input):
    """A query; its keys are shown while it has the keyboard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "submit", "to the runs", id="runs.filtered", tooltip="Go to the runs found"
        ),
        Binding(
            "escape",
            "screen.clear_filter",
            "all runs",
            id="runs.unfiltered",
            tooltip="Take the filter away",
        ),
    ]
    cursor_blink = False

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(placeholder=EXAMPLE, compact=True, select_on_focus=False, id=id)
