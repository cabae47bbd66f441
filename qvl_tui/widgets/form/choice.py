"""One of a few values, chosen with the arrow keys."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click, Key
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

CHOSEN, OTHER, GAP = "● ", "○ ", "  "


class Choice(Widget, can_focus=True):
    """Shows all values in a line, or one at a time where the line is too short."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "next", id="choice.next", tooltip="Take the next value"),
        Binding(
            "left", "turn(-1)", "previous", id="choice.previous", tooltip="Take the previous value"
        ),
        Binding(
            "backspace,delete",
            "clear",
            "inherited",
            id="choice.clear",
            show=False,
            tooltip="Go back to the value that holds when nothing is chosen",
        ),
    ]
    DEFAULT_CSS = """
    Choice { height: 1; padding: 0 1; background: $surface; }
    Choice:focus { background: $panel; text-style: bold; }
    """

    chosen: reactive[str] = reactive("")  # empty: what is inherited
    inherited: reactive[str] = reactive("")

    class Turned(Message):
        """Another value was chosen."""

        def __init__(self, choice: "Choice") -> None:
            self.choice = choice
            super().__init__()

        @property
        def control(self) -> "Choice":
            """The widget that it comes from."""
            return self.choice

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__()
        self.choices = tuple(choices)

    @property
    def current(self) -> str:
        """The value that holds."""
        return self.chosen or self.inherited

    def render(self) -> Text:
        """Return the line."""
        muted = "" if self.chosen else "dim"
        whole = sum(len(CHOSEN + it + GAP) for it in self.choices) - len(GAP)
        if whole <= self.size.width:
            return Text(GAP).join(self._entry(it, muted) for it in self.choices)
        place = self.choices.index(self.current) + 1 if self.current in self.choices else 0
        return Text.assemble(
            "‹ ", (self.current, muted), " ›", (f"  {place} of {len(self.choices)}", "dim")
        )

    def _entry(self, value: str, muted: str) -> Text:
        if value == self.current:
            return Text(CHOSEN + value, muted)
        return Text(OTHER + value, "dim")

    def action_turn(self, by: int) -> None:
        """Take the next or the previous value."""
        place = self.choices.index(self.current) if self.current in self.choices else 0
        self._choose(self.choices[(place + by) % len(self.choices)])

    def action_clear(self) -> None:
        """Take what is inherited."""
        self._choose("")

    def on_key(self, event: Key) -> None:
        """Take the next value that begins with the letter pressed."""
        letter = (event.character or "").lower()
        if not letter.isalnum():
            return
        place = self.choices.index(self.current) if self.current in self.choices else -1
        in_turn = self.choices[place + 1 :] + self.choices[: place + 1]
        value = next((it for it in in_turn if it.startswith(letter)), None)
        if value is not None:
            event.stop()
            self._choose(value)

    def on_click(self, event: Click) -> None:
        """Take the value under the mouse, or the next one."""
        column = event.get_content_offset(self)
        start = 0
        for value in self.choices if column else ():
            end = start + len(CHOSEN + value + GAP)
            if column and start <= column.x < end and end - len(GAP) <= self.size.width:
                self._choose(value)
                return
            start = end
        self.action_turn(1)

    def _choose(self, value: str) -> None:
        if value != self.chosen:
            self.chosen = value
            self.post_message(self.Turned(self))
