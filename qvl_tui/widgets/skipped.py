"""The records that a run left out, and why."""

from collections.abc import Hashable, Sequence
from pathlib import PurePath
from typing import ClassVar

from textual.content import Content

from qvl_tui.feed import Feed
from qvl_tui.widgets.sheet import Item
from qvl_tui.widgets.sheet_pane import SheetPane, nothing_yet
from trainer.run.events import RecordSkipped
from trainer.run.text import sanitise
from trainer.words.numbers import count

NAME_CHARACTERS = 80
REASON_CHARACTERS = 600
INDENT = 2


class Skipped(SheetPane):
    """Skipped records, the newest first."""

    title: ClassVar[str] = "Skipped"
    choosing: ClassVar[bool] = True

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return how many records were skipped, and for how many steps objects were counted."""
        return (feed.state.skipped_count, len(feed.state.steps["objects_dropped"]))

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return how many there are, and each with its place and reason."""
        skipped, total = feed.state.skipped, feed.state.skipped_count
        self.say(count(total) if total else "")
        dropped = _dropped(feed.state.objects_dropped, width)
        if not skipped:
            return dropped, nothing_yet("no record was skipped")
        heading = [*_heading(total, len(skipped), width), *dropped]
        return heading, [_item(it, width) for it in reversed(skipped)]


def _dropped(objects: int | None, width: int) -> list[Content]:
    """Say how many objects augmentation left out, where it may do so."""
    if objects is None:
        return []
    words = f"{count(objects)} {'object' if objects == 1 else 'objects'} left out by augmentation"
    return Content.styled(f"{words}, in all epochs so far", "$text-muted").wrap(width)


def _heading(total: int, kept: int, width: int) -> list[Content]:
    words = f"{count(total)} {'record' if total == 1 else 'records'} left a hole in the batch"
    if total > kept:
        words += f"; the newest {count(kept)}:"
    return Content.styled(words, "$text-muted").wrap(width)


def _item(record: RecordSkipped, width: int) -> Item:
    name = sanitise(PurePath(record.file).name, NAME_CHARACTERS)
    place = Content.assemble(
        (f"{name}:{count(record.line)}", "bold"),
        (f"  {record.split}  step {count(record.step)}", "$text-muted"),
        (f"  byte {count(record.offset)}", "$text-muted"),
    )
    reason = Content(sanitise(record.reason, REASON_CHARACTERS)).wrap(max(width - INDENT, 1))
    lines = (*place.wrap(width), *(Content.assemble(" " * INDENT, line) for line in reason))
    return Item((record.split, record.file, record.line), lines)
