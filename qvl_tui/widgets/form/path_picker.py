"""Choose files or a folder with the keyboard: walk, filter, or type a path."""

import asyncio
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from qvl_tui.widgets.form.entries import Entry, completion, entries_of, kind_of, split_typed
from qvl_tui.widgets.form.picker import Picker, Row, holds_all
from trainer.config.suggestions import SUGGESTED_MODELS
from trainer.forecast.suggested import memory_wanted
from trainer.run.text import sanitise
from trainer.words.numbers import size

LONGEST_NAME = 200


class Wanted(Enum):
    """What is looked for."""

    DATA = "data files"
    CONFIGURATION = "a configuration file"
    MODEL = "a model's folder"
    FOLDER = "a folder"


class PathPicker(Picker[Entry | str, list[str]]):
    """Returns the paths that were chosen, or a model's hub id."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "tab", "complete", "complete", id="path.complete", tooltip="Complete", priority=True
        ),
        Binding(
            "ctrl+t,insert", "mark", "mark", id="path.mark", tooltip="Mark one of several files"
        ),
        Binding(
            "f8",
            "hidden",
            "hidden files",
            id="path.hidden",
            tooltip="Show hidden files too, or no longer",
            priority=True,
        ),
        Binding(
            "ctrl+up", "above", "folder above", id="path.above", tooltip="Go to the folder above"
        ),
    ]

    def __init__(self, title: str, wanted: Wanted, start: Path) -> None:
        super().__init__(title, "type to filter, or a path")
        self.wanted = wanted
        self.folder = start
        self.marked: list[str] = []
        self.show_hidden = False
        self._entries: list[Entry] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Several can be marked only where several are wanted."""
        return action != "mark" or self.wanted is Wanted.DATA

    async def matching(self, text: str) -> Sequence[Row[Entry | str]]:
        """Return the entries of the folder that go with the text, and known models."""
        folder, name = split_typed(text, self.folder)
        rows: list[Row[Entry | str]] = []
        try:
            self._entries = await asyncio.to_thread(entries_of, folder, hidden=self.show_hidden)
        except OSError as error:
            self._entries = []
            line = Text(f"{sanitise(str(folder), LONGEST_NAME)}: {error.strerror}", "bold")
            rows.append(Row(line, ""))
        if not text:
            rows += self._places(folder)
        files = self.wanted in (Wanted.DATA, Wanted.CONFIGURATION)
        fitting = (
            it for it in self._entries if (it.folder or files) and holds_all(it.path.name, name)
        )
        rows.extend(Row[Entry | str](self._line(it), it) for it in fitting)
        if self.wanted is Wanted.MODEL:
            rows += _models(text)
        self._show_place(folder)
        return rows

    def _places(self, folder: Path) -> list[Row[Entry | str]]:
        """Return the folder itself, where one is wanted, and the one above."""
        rows: list[Row[Entry | str]] = []
        if self.wanted is Wanted.FOLDER or (
            self.wanted is Wanted.MODEL and kind_of(folder) == "checkpoint"
        ):
            rows.append(Row(Text("  ./  this folder"), str(folder)))
        if folder.parent != folder:
            above = Entry(folder.parent, folder=True, bytes=None)
            rows.append(Row(Text("  ../"), above))
        return rows

    def _line(self, entry: Entry) -> Text:
        mark = "◆ " if str(entry.path) in self.marked else "  "
        name = sanitise(entry.name, LONGEST_NAME)
        told = entry.kind if entry.folder else size(entry.bytes)
        return Text.assemble(mark, (f"{name:44}", "bold" if entry.folder else ""), f"{told:>11}")

    def _show_place(self, folder: Path) -> None:
        box = self.list.parent
        marked = f"  ◆ enter takes the {len(self.marked)} marked" if self.marked else ""
        if box is not None and hasattr(box, "border_subtitle"):
            place = sanitise(str(folder), LONGEST_NAME)
            box.border_subtitle = Content(f"{place}{marked}")  # pyright: ignore[reportAttributeAccessIssue]

    async def take(self, value: Entry | str) -> None:
        """Open a folder, or return what was chosen."""
        if isinstance(value, str):
            if value:
                self.dismiss([value])
        elif value.folder and not (value.kind == "checkpoint" and self.wanted is Wanted.MODEL):
            await self._open(value.path)
        elif value.folder:
            self.dismiss([str(value.path)])
        elif self.wanted in (Wanted.DATA, Wanted.CONFIGURATION):
            path = str(value.path)
            self.dismiss(self.marked or [path])

    async def _open(self, folder: Path) -> None:
        self.folder = folder
        if self.query_input.value:
            self.query_input.value = ""  # which fills the list anew
        else:
            await self.refill()

    async def action_above(self) -> None:
        """Go to the folder above."""
        await self._open(self.folder.parent)

    async def action_hidden(self) -> None:
        """Show hidden files too, or no longer."""
        self.show_hidden = not self.show_hidden
        await self.refill()

    async def action_complete(self) -> None:
        """Complete the name typed as far as it is clear."""
        text = self.query_input.value
        _, name = split_typed(text, self.folder)
        self.query_input.value = text.removesuffix(name) + completion(name, self._entries)
        self.query_input.cursor_position = len(self.query_input.value)

    async def action_mark(self) -> None:
        """Mark the file under the cursor, or no longer, and go on."""
        row = self.highlighted
        if row is None or not isinstance(row.value, Entry) or row.value.folder:
            return
        path = str(row.value.path)
        if path in self.marked:
            self.marked.remove(path)
        else:
            self.marked.append(path)
        self._redraw(row.value)

    def _redraw(self, entry: Entry) -> None:
        place = self.list.highlighted
        if place is not None:
            self.list.replace_option_prompt_at_index(place, self._line(entry))
            OptionList.action_cursor_down(self.list)
        self._show_place(self.folder)


def _models(text: str) -> list[Row[Entry | str]]:
    """Return the known models on the hub, with the GPU memory that QLoRA wants."""
    rows: list[Row[Entry | str]] = []
    for it in SUGGESTED_MODELS:
        if holds_all(it.path, text):
            wanted = size(memory_wanted(it).qlora_memory_bytes)
            line = Text.assemble("  ", f"{it.path:52}", f"{wanted:>8}", " QLoRA")
            rows.append(Row(line, it.path))
    return rows
