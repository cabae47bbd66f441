"""A line of text to edit that may come from outside: what no terminal should be sent is masked."""

from rich.highlighter import Highlighter
from rich.text import Text
from textual.widgets import Input

from trainer.run.text import masked


class _Mask(Highlighter):
    def highlight(self, text: Text) -> None:
        text.plain = masked(text.plain)


class EditedLine(Input):
    """Shows its text masked and keeps it as it is; its cursor stands still.

    A blinking cursor would be sent over the wire for ever.
    """

    cursor_blink = False

    def __init__(self, value: str = "") -> None:
        super().__init__(value, compact=True, select_on_focus=False, highlighter=_Mask())
