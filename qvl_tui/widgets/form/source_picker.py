"""Choose what a new run starts from: a preset, a named configuration or any file."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from qvl_tui.saved import sources
from qvl_tui.widgets.form.path_picker import PathPicker, Wanted
from qvl_tui.widgets.form.picker import Picker, Row, holds_all

ANY_FILE = ""


class SourcePicker(Picker[str, str]):
    """Named configurations first, then the shipped presets, then any file."""

    def __init__(self) -> None:
        super().__init__("Start from", "type to filter")

    async def matching(self, text: str) -> Sequence[Row[str]]:
        """Return what goes with the text."""
        rows = []
        for it in sources():
            if holds_all(f"{it.name} {it.about}", text):
                kind = "preset" if it.shipped else "saved"
                line = Text.assemble((f"{it.name:26}", "bold"), f"{kind:8}", (it.about, "dim"))
                rows.append(Row(line, it.place))
        rows.append(Row(Text("another file …"), ANY_FILE))
        return rows

    async def take(self, value: str) -> None:
        """Return it, or ask for a file."""
        if value != ANY_FILE:
            self.dismiss(value)
            return
        picker = PathPicker("A configuration file", Wanted.CONFIGURATION, Path.cwd())
        self.app.push_screen(picker, self._take_file)

    def _take_file(self, paths: list[str] | None) -> None:
        if paths:
            self.dismiss(paths[0])
