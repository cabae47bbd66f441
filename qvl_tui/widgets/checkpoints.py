"""The checkpoints of a run and its result, and whether their files are whole."""

from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.fitting import Column, table
from qvl_tui.widgets.sheet import Item
from qvl_tui.widgets.sheet_pane import SheetPane, nothing_yet
from trainer.run.layout import RunLayout
from trainer.run.manifest import DamagedCheckpoint, verify_checkpoint
from trainer.run.regular import is_file
from trainer.run.state import Checkpoint, RunState
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN, count, duration, significant, size
from trainer.words.transfer import copy_home

AGE_SECONDS = 10  # how exact the ages are
REASON_CHARACTERS = 400
SCP_LINES = 3
SHOWN_PRUNED = 100
INDENT = 4
MUTED = "$text-muted"
COLUMNS = (
    Column("", 0),
    Column("step", 0, right=True),
    Column("size", 3, right=True),
    Column("age", 4, right=True),
    Column("saved in", 6, right=True),
    Column("why", 5),
    Column("val. loss", 2, right=True),
    Column("verified", 1),
)


class Checkpoints(SheetPane):
    """All checkpoints, the newest first, below the line that brings the result home.

    A row says `pruned`, `✗ rejected` (a resume found it damaged), `not yet` (nobody looked at its
    files since the screen was opened), `✓ whole` or `✗ damaged`.
    """

    title: ClassVar[str] = "Checkpoints"
    choosing: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "verify",
            "verify",
            id="checkpoints.verify",
            tooltip="Hash its files and compare them with its manifest",
        ),
        Binding(
            "c",
            "copy",
            "copy the scp line",
            id="checkpoints.copy",
            tooltip="Copy the line that brings the result home",
        ),
    ]

    class Verified(Message):
        """The files of a checkpoint were looked at; no complaint: they are whole."""

        def __init__(self, step: int, complaint: str) -> None:
            self.step = step
            self.complaint = complaint
            super().__init__()

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(desk, id)
        self._verdicts: dict[int, Content] = {}  # by step, of this session
        self._complaints: dict[int, str] = {}  # what is wrong with the files, by step
        self._verdict_count = 0
        self._home = ""  # the line that brings the result home

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return what became of each checkpoint, the clock, and how often one was looked at."""
        became = tuple((it.step, it.status, it.best) for it in feed.state.checkpoints.values())
        return became, feed.state.final, self._verdict_count, int(self.desk.now() // AGE_SECONDS)

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return the result and the heading of the table, and a row per checkpoint."""
        points = shown_checkpoints(feed.state)
        kept = len(feed.state.kept_checkpoints)
        self.say(count(kept) if kept else "")
        result = self._result_lines(feed, width)
        if not points:
            return result, nothing_yet("no checkpoint yet")
        rows = [self._row(point) for point in points]
        head, lines = table(width, COLUMNS, rows)
        items = [
            Item(point.step, (line, *self._complaint_lines(point, width)))
            for point, line in zip(points, lines, strict=True)
        ]
        left_out = len(feed.state.checkpoints) - len(points)
        if left_out:
            words = f"and {count(left_out)} older ones, pruned"
            items.append(Item("older", (Content.styled(words, MUTED),)))
        return [*result, head], items

    def _row(self, point: Checkpoint) -> list[Content]:
        cells = [
            "★" if point.best else "",
            count(point.step),
            size(point.bytes) if point.bytes else "",
            _age(self.desk.now() - point.time) if point.time else UNKNOWN,
            f"{significant(point.seconds)} s" if point.seconds is not None else "",
            point.reason if point.status != "rejected" else "",
            significant(point.validation_loss),
        ]
        muted = "" if point.status == "published" else MUTED
        return [*(Content.styled(sanitise(it, 40), muted) for it in cells), self._files(point)]

    def _files(self, point: Checkpoint) -> Content:
        """Return what is known of the files of a checkpoint."""
        if point.status == "pruned":
            return Content.styled("pruned", MUTED)
        if point.status == "rejected":
            return Content.styled("✗ rejected", "$error")
        return self._verdicts.get(point.step, Content.styled("not yet", MUTED))

    def _complaint_lines(self, point: Checkpoint, width: int) -> list[Content]:
        """Return what is wrong with the files of a checkpoint, below its row."""
        known = point.reason if point.status == "rejected" else self._complaints.get(point.step)
        if not known:
            return []
        text = Content.styled(sanitise(known, REASON_CHARACTERS), "$error")
        return [Content.assemble(" " * INDENT, it) for it in text.wrap(max(width - INDENT, 1))]

    def _result_lines(self, feed: Feed, width: int) -> list[Content]:
        """Return what the run left as its result and how to fetch it."""
        final = feed.state.final
        self._home = ""
        if final is None:
            return []
        partial_words = f", partial: step {count(final.step)}" if final.partial else ""
        packed = feed.layout.root / "final.zip"
        source = packed if is_file(packed) else feed.layout.root / final.path
        self._home = copy_home(source)
        there = f"✓ {sanitise(final.path, 60)}/ {size(final.bytes)}{partial_words}"
        if source == packed:
            there += f"   final.zip {size(packed.stat().st_size)}"
        line = Content.assemble(("at home: ", MUTED), sanitise(self._home, None))
        return [
            *Content.styled(there, "$success").wrap(width),
            *line.fold(width)[:SCP_LINES],
            Content(""),
        ]

    # --- keys ---------------------------------------------------------------------------------

    def action_verify(self) -> None:
        """Hash the files of the chosen checkpoint in a thread."""
        step = self.sheet.chosen
        if self.feed is None or not isinstance(step, int):
            return
        point = self.feed.state.checkpoints[step]
        if point.status != "published":
            words = f"The checkpoint of step {count(point.step)} is {point.status}: not there."
            self.notify(words, severity="warning", markup=False)
            return
        self._judge(point.step, Content.styled(f"verifying {size(point.bytes)}…", "$accent"))
        look = partial(self._look, self.feed.layout, point.step, point.path)
        self.run_worker(look, thread=True, group="verify", exit_on_error=False)

    def action_copy(self) -> None:
        """Copy the line that brings the result home."""
        if not self._home:
            words = "There is no result yet: final/ is written at the end, or by x stop."
            self.notify(words, severity="warning", markup=False)
            return
        self.app.copy_to_clipboard(self._home)
        self.notify(f"Copied: {self._home}", markup=False)

    def _look(self, layout: RunLayout, step: int, path: str) -> None:
        self.post_message(self.Verified(step, complaint_about(layout.root / path)))

    def on_checkpoints_verified(self, message: Verified) -> None:
        """Say whether the files are what the manifest says."""
        self._complaints[message.step] = message.complaint
        if message.complaint:
            self._judge(message.step, Content.styled("✗ damaged", "$error"))
        else:
            self._judge(message.step, Content.styled("✓ whole", "$success"))

    def _judge(self, step: int, verdict: Content) -> None:
        self._verdicts[step] = verdict
        self._verdict_count += 1
        self.redraw()


def shown_checkpoints(state: RunState) -> list[Checkpoint]:
    """Return the checkpoints, the newest first; of the pruned ones only the newest."""
    points = sorted(state.checkpoints.values(), key=lambda it: it.step, reverse=True)
    pruned = [it for it in points if it.status == "pruned"][SHOWN_PRUNED:]
    gone = {it.step for it in pruned}
    return [it for it in points if it.step not in gone]


def _age(seconds: float) -> str:
    """Return an age that moves once a minute."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "just now"
    return f"{minutes} m" if minutes < 60 else duration(minutes * 60)


def complaint_about(folder: Path) -> str:
    """Return what is wrong with the files of a checkpoint; empty when all are whole."""
    try:
        verify_checkpoint(folder)
    except (DamagedCheckpoint, OSError) as error:
        return sanitise(str(error), REASON_CHARACTERS)
    return ""
