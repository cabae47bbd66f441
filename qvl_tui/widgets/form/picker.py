"""Pick from a list by typing a part of a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList

from qvl_tui.widgets.key_bar import KeyBar

T = TypeVar("T")
Result = TypeVar("Result")
ROWS_SHOWN = 500


@dataclass(frozen=True)
class Row(Generic[T]):
    """One line of the list."""

    line: Text
    value: T


class Picker(ModalScreen[Result], Generic[T, Result]):
    """An input that filters, and a list below it that the arrow keys move in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="picker.back", tooltip="Go back, nothing changes"),
        Binding("enter", "take", "take", id="picker.take", tooltip="Take it", priority=True),
        Binding("down", "move('cursor_down')", id="picker.down", show=False, tooltip="Next line"),
        Binding("up", "move('cursor_up')", id="picker.up", show=False, tooltip="Line before"),
        Binding(
            "pagedown", "move('page_down')", id="picker.page_down", show=False, tooltip="A page on"
        ),
        Binding(
            "pageup", "move('page_up')", id="picker.page_up", show=False, tooltip="A page back"
        ),
    ]
    DEFAULT_CSS = """
    Picker { align: center middle; }
    Picker > Vertical {
        width: 90%; max-width: 100; height: 80%; max-height: 32;
        border: round $accent; background: $surface; padding: 0 1;
    }
    Picker OptionList {
        height: 1fr; border: none; background: $surface; padding: 0;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, title: str, placeholder: str) -> None:
        super().__init__()
        self._title = title
        self.query_input = Input(placeholder=placeholder, compact=True)
        self.query_input.cursor_blink = False
        self.list = OptionList(markup=False)
        self.list.can_focus = False
        self.rows: list[Row[T]] = []

    def compose(self) -> ComposeResult:
        """The input, the list, the keys."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield self.query_input
            yield self.list
            yield KeyBar()

    async def on_mount(self) -> None:
        """Show the list."""
        await self.refill()
        self.query_input.focus()

    async def on_input_changed(self, event: Input.Changed) -> None:
        """Show what goes with the text typed."""
        event.stop()
        await self.refill()

    async def refill(self) -> None:
        """Show the rows that go with the text typed."""
        self.rows = list(await self.matching(self.query_input.value))[:ROWS_SHOWN]
        self.list.clear_options()
        self.list.add_options([row.line for row in self.rows])
        if self.rows:
            self.list.highlighted = 0

    @property
    def highlighted(self) -> Row[T] | None:
        """The row under the cursor."""
        place = self.list.highlighted
        return self.rows[place] if place is not None and place < len(self.rows) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the row that was clicked."""
        event.stop()
        self.run_worker(self.action_take())

    def action_move(self, way: str) -> None:
        """Move in the list."""
        getattr(self.list, f"action_{way}")()

    def action_leave(self) -> None:
        """Go back without a choice."""
        self.dismiss(None)

    async def action_take(self) -> None:
        """Take the row under the cursor."""
        if self.highlighted is not None:
            await self.take(self.highlighted.value)

    async def matching(self, text: str) -> Sequence[Row[T]]:
        """Return the rows that go with a text."""
        raise NotImplementedError

    async def take(self, value: T) -> None:
        """Do what taking a row means."""
        raise NotImplementedError


def holds_all(name: str, text: str) -> bool:
    """Whether every word of a text occurs in a name."""
    return all(word in name.lower() for word in text.lower().split())
