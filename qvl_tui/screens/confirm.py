"""Ask before something is lost."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class ConfirmScreen(ModalScreen[bool]):
    """A question with what follows from yes; true: do it. Enter takes the answer in focus, no."""

    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 94%; height: auto; max-height: 90%;
            padding: 1 2; background: $surface; border: round $warning;
        }
        #question { text-style: bold; margin-bottom: 1; }
        #consequences { height: auto; margin-bottom: 1; }
        Horizontal { height: auto; }
        Button { margin-right: 2; }
    }
    """
    AUTO_FOCUS = "#no"  # the answer that changes nothing
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape,q", "answer(False)", "no", id="confirm.no", tooltip="Leave it as it is"),
        Binding(
            "left,right",
            "app.focus_next",
            "other answer",
            show=False,
            id="confirm.other",
            tooltip="To the other answer",
        ),
    ]

    def __init__(self, question: str, consequences: Sequence[str], action_word: str) -> None:
        super().__init__()
        self._question = question
        self._consequences = consequences
        self._action_word = action_word

    def compose(self) -> ComposeResult:
        """Lay out the question, what follows and the answers."""
        with Vertical():
            yield Static(self._question, id="question", markup=False)
            yield Static("\n".join(self._consequences), id="consequences", markup=False)
            with Horizontal():
                yield Button(Content(f"y  {self._action_word}"), "warning", id="yes", compact=True)
                yield Button(Content("n  no"), id="no", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer with the button."""
        self.action_answer(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)
