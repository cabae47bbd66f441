"""A pane: one part of a run on the screen."""

from typing import ClassVar

from textual.content import Content
from textual.widget import Widget

from qvl_tui.feed import Feed


class Pane(Widget):
    """One part of a run; it draws only what changed, and nothing while it is hidden."""

    DEFAULT_CSS = """
    Pane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus, &:focus-within {
            border: heavy $accent;
            border-title-color: $text;
            border-title-style: bold;
        }
    }
    """

    title: ClassVar[str] = ""
    number: int = 0  # the key that opens it; 0: none
    note: str = ""  # what is said beside the title
    badge: str = ""  # a few characters that its tab carries while it is hidden, such as a count

    def show(self, feed: Feed) -> None:
        """Draw what changed in the run since the last call.

        Called at most twice a second, only while the pane is visible, and at once when it becomes
        visible. It costs next to nothing while `feed.version` stays the same.
        """
        raise NotImplementedError

    def say(self, note: str = "") -> None:
        """Put number, title and a short note such as `following` into the border.

        The note is shown as it is: no markup is read in it.
        """
        self.note = note
        number = f"{self.number} " if self.number else ""
        heading = Content(f"{number}{self.title}  {note}".rstrip())
        if self._border_title is None or self._border_title.plain != heading.plain:
            self.border_title = heading


def focus_into(pane: Pane) -> None:
    """Give the keys to a pane, or to the first part of it that takes them."""
    targets = [pane, *pane.query("*")]
    target = next((it for it in targets if it.focusable and it.display), None)
    if target:
        target.focus()
