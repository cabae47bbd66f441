"""Records as the model reads them: list, picture with its objects, every token's meaning."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from qvl_tui.desk import Desk
from qvl_tui.inquiry import Inquiry, InquiryFailed
from qvl_tui.messages import SettingsChanged
from qvl_tui.screens.panes import PanesScreen
from qvl_tui.screens.prompt import PromptScreen
from qvl_tui.widgets.key_bar import KeyBar
from qvl_tui.widgets.pictures import WAYS, turn_pictures
from qvl_tui.widgets.records.bindings import DATA_BINDINGS
from qvl_tui.widgets.records.conversation import Conversation
from qvl_tui.widgets.records.picture_pane import PicturePane
from qvl_tui.widgets.records.record_list import RecordList, file_names
from qvl_tui.widgets.tab_strip import TabStrip
from trainer.inspect.inspection import Inspection, read_inspection
from trainer.run.text import sanitise
from trainer.words.numbers import count

PAUSE_SECONDS = 0.05  # after the last key, before a record is asked for
SPLITS = ("train", "validation")


class DataScreen(PanesScreen):
    """Browses the records of a configuration, of a run, or of one data file."""

    WIDE = (110, 0)  # panes side by side need no height
    BINDINGS: ClassVar[list[BindingType]] = [*DATA_BINDINGS]
    DEFAULT_CSS = """
    DataScreen {
        #data-title {
            height: 1; padding: 0 1; background: $surface;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        #data-body { height: 1fr; }
        RecordList { width: 24%; min-width: 26; max-width: 48; }
        PicturePane { width: 2fr; }
        Conversation { width: 3fr; }
        &.alone RecordList, &.alone PicturePane, &.alone Conversation {
            width: 1fr; max-width: 100%;
        }
    }
    """

    def __init__(self, desk: Desk, arguments: Sequence[str], title: str) -> None:
        """`arguments` are those of `qvl data show`."""
        super().__init__()
        self.desk = desk
        self.settled = False  # whether the record under the cursor is shown
        self.list = RecordList()
        self.picture = PicturePane()
        self.conversation = Conversation()
        self._name = title
        self._inquiry = Inquiry(arguments, desk.runs)
        self._opened: dict[str, Any] | None = None
        self._split = SPLITS[0]
        self._epoch = 0
        self._text = ""  # that was searched for last
        self._hunt = ""  # how far a search got
        self._number([self.list, self.picture, self.conversation])

    def compose(self) -> ComposeResult:
        """Title, three panes, keys."""
        yield Static(id="data-title", markup=False)
        yield TabStrip(id="data-tabs")
        with Horizontal(id="data-body"):
            yield from self._panes
        yield KeyBar()

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to open the data."""
        for pane in self._panes:
            pane.say()
        self._show_pane(self.list)
        self._show_title()
        self.conversation.show_words(Content("tokenizer, template and data are being opened …"))
        self.run_worker(self._open(), group="open", exit_on_error=False)

    async def _open(self) -> None:
        try:
            self._opened = await self._inquiry.open()
        except InquiryFailed as failure:
            self._show_failure(failure)
            return
        if not self._records:
            self._split = SPLITS[1]
        self._begin_split(self._opened["first"])

    async def on_unmount(self) -> None:
        """End the process that answers."""
        await self._inquiry.close()

    @property
    def _records(self) -> int:
        """How many the split has."""
        return self._opened["splits"][self._split]["records"] if self._opened else 0

    def _begin_split(self, record: int = 1) -> None:
        self.list.show_split(self._records, record)
        self._show_title()
        self._look()
        self.refresh_bindings()

    def _show_failure(self, failure: InquiryFailed) -> None:
        self.conversation.show_words(Content.styled(f"✗ {failure}", "$error"))
        self.settled = True

    # --- what is asked ------------------------------------------------------------------------

    def on_record_list_chosen(self, message: RecordList.Chosen) -> None:
        """Look at the record under the cursor."""
        message.stop()
        self._end_hunt()
        self._look()

    def on_record_list_wanted(self, message: RecordList.Wanted) -> None:
        """Ask for the lines in sight."""
        message.stop()
        if self._opened:
            rows = self._read_rows(self._split, message.first, message.count)
            self.run_worker(rows, group="rows", exclusive=True, exit_on_error=False)

    async def _read_rows(self, split: str, first: int, rows: int) -> None:
        try:
            answer = await self._inquiry.ask(ask="rows", split=split, record=first, count=rows)
        except InquiryFailed as failure:
            self._show_failure(failure)
            return
        if split == self._split:
            self.list.take(answer["rows"])

    def _look(self) -> None:
        """Show the record under the cursor soon."""
        if self._opened and self._records:
            self.settled = False
            look = self._read_record(self._split, self.list.record, self._epoch)
            self.run_worker(look, group="record", exclusive=True, exit_on_error=False)
        elif self._opened:
            self.settled = True

    async def _read_record(self, split: str, record: int, epoch: int) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        question = {"split": split, "record": record, "epoch": epoch}
        try:
            answer = await self._inquiry.ask(ask="inspect", **question)
        except InquiryFailed as failure:
            self._show_failure(failure)
            return
        seen = await asyncio.to_thread(read_inspection, answer)
        if (split, record, epoch) == (self._split, self.list.record, self._epoch):
            self._show(seen)

    def _show(self, seen: Inspection) -> None:
        self.list.mark(seen.record, seen.problem)
        self.picture.show_record(seen)
        self.conversation.show_record(seen)
        self._show_title()
        self._show_tabs()
        self.settled = True

    # --- searching ----------------------------------------------------------------------------

    def _end_hunt(self) -> None:
        self.workers.cancel_group(self, "hunt")
        if self._hunt:
            self._hunt = ""
            self._show_title()

    def _start_hunt(self, text: str | None, by: int) -> None:
        if self._records:
            hunt = self._find(text, self.list.record + by, by)
            self.run_worker(hunt, group="hunt", exclusive=True, exit_on_error=False)

    async def _find(self, text: str | None, start: int, by: int) -> None:
        """Go to the next record with a text in it, or with a problem; any move ends it."""
        wanted = "a problem" if text is None else f"“{sanitise(text, 40)}”"
        split = self._split
        while 1 <= start <= self._records:
            self._tell_hunt(f"looking for {wanted}: {count(start)} of {count(self._records)}")
            try:
                found = await self._inquiry.ask(
                    ask="find", split=split, record=start, by=by, text=text
                )
            except InquiryFailed as failure:
                self._show_failure(failure)
                return
            if found["found"] is not None:
                self._tell_hunt("")
                self.list.go_to(found["found"])
                self._look()
                return
            if found["ended"]:
                break
            start = found["looked_to"] + by
        where = "below" if by > 0 else "above"
        self._tell_hunt(f"{wanted} is not {where}")

    def _tell_hunt(self, words: str) -> None:
        self._hunt = words
        self._show_title()

    # --- drawing ------------------------------------------------------------------------------

    def _show_title(self) -> None:
        words = [f"data  {sanitise(self._name, 60)}"]
        if self._opened:
            split = self._opened["splits"][self._split]
            words.append(f"{self._split} {count(split['records'])} records")
            words.append(file_names(split["files"]) or "no file")
            if self._split == "train":
                changed = ", augmented" if self._opened["augmented"] else ""
                words.append(f"epoch {self._epoch}{changed}")
        if self._hunt:
            words.insert(1, self._hunt)
        self.query_one("#data-title", Static).update(" · ".join(words))

    def _show_tabs(self) -> None:
        self.query_one("#data-tabs", TabStrip).show_panes(self._panes, self._shown)

    def _arrange(self) -> None:
        self.set_class(self._alone, "alone")
        for pane in self._panes:
            pane.display = not self._alone or pane is self._shown
        self.query_one("#data-tabs").display = self._alone
        self._show_tabs()

    # --- keys ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Epochs are of training, the other split must have records."""
        if action == "epoch":
            return self._split == "train" and self._records > 0
        if action == "split":
            other = SPLITS[1 - SPLITS.index(self._split)]
            return bool(self._opened) and self._opened["splits"][other]["records"] > 0
        if action in ("go_to", "search", "find", "problem", "record"):
            return self._records > 0
        return True

    def action_record(self, by: int) -> None:
        """Go to a record nearby."""
        self.list.action_move(by)

    def action_epoch(self, by: int) -> None:
        """Look at another epoch of training."""
        self._epoch = max(0, self._epoch + by)
        self._show_title()
        self._look()

    def action_split(self) -> None:
        """Look at the other split."""
        self._end_hunt()
        self._split = SPLITS[1 - SPLITS.index(self._split)]
        self._begin_split()

    def action_stored(self) -> None:
        """Show the picture as it is stored, or as the model sees it."""
        self.picture.stored = not self.picture.stored
        self.picture.draw()

    def action_marks(self) -> None:
        """Draw the objects, or do not."""
        self.picture.marks = not self.picture.marks
        self.picture.draw()

    def action_image(self, by: int) -> None:
        """Show another image of the record."""
        self.picture.turn(by)

    def action_bounds(self) -> None:
        """Set tokens apart, or do not."""
        self.conversation.bounds = not self.conversation.bounds
        self.conversation.draw()

    def action_turn_pictures(self) -> None:
        """Draw pictures in another way, and remember it."""
        settings = self.desk.settings
        settings.pictures = WAYS[(WAYS.index(settings.pictures) + 1) % len(WAYS)]
        later = "" if turn_pictures(settings.pictures) else ", from the next start of the screen on"
        self.post_message(SettingsChanged())
        self.notify(f"pictures: {settings.pictures}{later}", markup=False)
        self.picture.draw()

    @work(group="modal", exclusive=True)
    async def action_go_to(self) -> None:
        """Go to a record by its number."""
        number = await self.app.push_screen_wait(PromptScreen("Record", "", self._no_record))
        if number:
            self._end_hunt()
            self.list.go_to(int(number))
            self._look()

    def _no_record(self, text: str) -> str | None:
        if not text or (text.isdecimal() and 1 <= int(text) <= self._records):
            return None
        return f"records are numbered from 1 to {count(self._records)}"

    @work(group="modal", exclusive=True)
    async def action_search(self) -> None:
        """Find a text in the records."""
        text = await self.app.push_screen_wait(PromptScreen("Find in the records", self._text))
        if text:
            self._text = text
            self._start_hunt(text, 1)

    def action_find(self, by: int) -> None:
        """Go to another match."""
        if self._text:
            self._start_hunt(self._text, by)
        else:
            self.action_search()

    def action_problem(self, by: int) -> None:
        """Go to another record that is skipped."""
        self._start_hunt(None, by)
