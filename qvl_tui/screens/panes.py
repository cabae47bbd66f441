"""A screen of numbered panes, of which one can have all the room."""

from collections.abc import Sequence
from typing import ClassVar

from textual.screen import Screen

from qvl_tui.widgets.pane import Pane, focus_into
from qvl_tui.widgets.tab_strip import TabStrip


class PanesScreen(Screen[None]):
    """Shows panes beside each other, or one alone: in a small window, or where that is asked for.

    A screen of this kind numbers its panes when it is made, and says in `_arrange` which are seen.
    """

    WIDE: ClassVar[tuple[int, int]] = (110, 30)  # cells from which panes stand beside each other

    _panes: Sequence[Pane]
    _shown: Pane  # that was chosen last

    def __init__(self) -> None:
        super().__init__()
        self._full = False  # whether one was asked for alone

    def _number(self, panes: Sequence[Pane]) -> None:
        """Give the panes their numbers; the first one is shown."""
        self._panes, self._shown = panes, panes[0]
        for number, pane in enumerate(panes, 1):
            pane.number = number

    @property
    def _alone(self) -> bool:
        width, height = self.WIDE
        return self._full or self.size.width < width or self.size.height < height

    def _arrange(self) -> None:
        """Put the panes that are seen in sight."""
        raise NotImplementedError

    def _show_pane(self, pane: Pane) -> None:
        self._shown = pane
        self._arrange()
        focus_into(pane)

    def on_resize(self) -> None:
        """Arrange the panes for the new size."""
        self._arrange()

    def on_tab_strip_chosen(self, message: TabStrip.Chosen) -> None:
        """Show the pane whose name was clicked."""
        self._show_pane(message.pane)

    def action_pane(self, number: int) -> None:
        """Show a pane and give it the keys."""
        self._show_pane(self._panes[number - 1])

    def action_next(self, by: int) -> None:
        """Show the pane with the next number."""
        place = self._panes.index(self._shown) + by
        self._show_pane(self._panes[place % len(self._panes)])

    def action_full(self) -> None:
        """Give the pane the whole body, and back."""
        self._full = not self._full
        self._show_pane(self._shown)

    def action_back(self) -> None:
        """Go back to where this screen was opened."""
        self.dismiss()
