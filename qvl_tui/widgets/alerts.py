"""What the rules found wrong in a run, and what to do about it."""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from qvl_tui.feed import Feed
from qvl_tui.messages import JumpToStep
from qvl_tui.widgets.sheet import Item
from qvl_tui.widgets.sheet_pane import SheetPane, nothing_yet
from trainer.run.events import Alert
from trainer.run.text import sanitise
from trainer.words.clock import minute_of
from trainer.words.numbers import count

TEXT_CHARACTERS = 600
INDENT = 2


class Alerts(SheetPane):
    """Alerts, the newest first; enter shows the step of one in the charts."""

    title: ClassVar[str] = "Alerts"
    choosing: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "jump",
            "show the step",
            id="alerts.jump",
            tooltip="Show its step in the charts",
        ),
    ]

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return how many alerts there are, and the newest."""
        alerts = feed.state.alerts
        return len(alerts), alerts[-1] if alerts else None

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return each alert with its advice below it."""
        alerts = feed.state.alerts
        self.say(count(len(alerts)) if alerts else "")
        if not alerts:
            return (), nothing_yet("no rule found anything wrong")
        return (), [_item(alert, width) for alert in reversed(alerts)]

    def action_jump(self) -> None:
        """Show the step of the chosen alert."""
        chosen = self.sheet.chosen
        if isinstance(chosen, Alert):
            self.post_message(JumpToStep(chosen.step))


def _item(alert: Alert, width: int) -> Item:
    glyph, colour = ("✗", "$error") if alert.severity == "bad" else ("⚠", "$warning")
    message = Content.assemble(
        (f"{glyph} ", colour),
        (f"step {count(alert.step)}  {minute_of(alert.time)}  ", "$text-muted"),
        (sanitise(alert.message, TEXT_CHARACTERS), colour),
    )
    room = max(width - INDENT, 1)
    first, *more = message.wrap(room)
    advice = Content(sanitise(alert.advice, TEXT_CHARACTERS)).wrap(room)
    indented = [Content.assemble(" " * INDENT, line) for line in (*more, *advice)]
    return Item(alert, (first, *indented))
