"""Ask for one line of text."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from qvl_tui.widgets.edited_line import EditedLine

Validate = Callable[[str], str | None]  # what is wrong with the text; None: nothing


def anything(_text: str) -> None:
    """Accept every text."""


def at_most(characters: int) -> Validate:
    """Return what refuses longer texts."""

    def complaint(text: str) -> str | None:
        over = len(text) - characters
        return f"{over} too many; at most {characters} characters" if over > 0 else None

    return complaint


class PromptScreen(ModalScreen[str | None]):
    """A line of text to write or to change; None: escape was pressed."""

    DEFAULT_CSS = """
    PromptScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 94%; height: auto;
            padding: 1 2; background: $surface; border: round $accent;
        }
        #prompt-title { text-style: bold; margin-bottom: 1; }
        #complaint { color: $error; display: none; }
        #keys { color: $text-muted; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", id="prompt.leave", tooltip="Change nothing"),
    ]

    def __init__(self, title: str, value: str = "", validate: Validate = anything) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._complaint_about = validate

    def compose(self) -> ComposeResult:
        """Lay out the title, the line and what is wrong with it."""
        with Vertical():
            yield Static(self._title, id="prompt-title", markup=False)
            yield EditedLine(self._value)
            yield Static(id="complaint", markup=False)
            yield Static("enter keep   escape leave it", id="keys", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong while it is typed."""
        self._complain(self._complaint_about(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the text if nothing is wrong with it."""
        complaint = self._complaint_about(event.value)
        self._complain(complaint)
        if complaint is None:
            self.dismiss(event.value)

    def _complain(self, complaint: str | None) -> None:
        shown = self.query_one("#complaint", Static)
        shown.update(f"✗ {complaint}" if complaint else "")
        shown.display = complaint is not None

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)
