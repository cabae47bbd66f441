"""The whole configuration as YAML, marked where it differs from the defaults."""

from collections.abc import Mapping

import yaml
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from qvl_tui.draft import Verdict
from qvl_tui.widgets.form.field import DIFFERS, PLAIN, WRONG
from trainer.config.options import options
from trainer.run.text import sanitise

LONGEST_LINE = 300
LINES_ABOVE = 3  # that stay to be seen above the option the cursor is at


class YamlView(VerticalScroll, can_focus=True):
    """Follows the cursor of the form."""

    BORDER_TITLE = "Configuration"
    DEFAULT_CSS = """
    YamlView { height: 1fr; scrollbar-size: 1 1; }
    YamlView Static { width: auto; }
    """

    def __init__(self) -> None:
        self._body = Static(markup=False)
        self.text = Text()  # what is shown
        self._lines: dict[str, int] = {}
        super().__init__(self._body)

    def show(self, texts: Mapping[str, str], verdict: Verdict) -> None:
        """Show the configuration as it stands, right or not."""
        lines = list(_lines(texts, verdict))
        self._lines = {key: number for number, (key, _) in enumerate(lines)}
        body = Text("\n").join(line for _, line in lines)
        if body != self.text:
            self.text = body
            self._body.update(body)

    def follow(self, key: str) -> None:
        """Bring an option into view."""
        if key in self._lines:
            self.scroll_to(y=max(0, self._lines[key] - LINES_ABOVE), animate=False)


def _lines(texts: Mapping[str, str], verdict: Verdict) -> list[tuple[str, Text]]:
    """Return every line with its option, or with the section that it opens."""
    lines: list[tuple[str, Text]] = []
    before = ""
    for key in options():
        section, _, name = key.rpartition(".")
        if section and section != before:
            outer, _, opened = section.rpartition(".")
            lines.append((section, Text(f"{PLAIN}{_indented(outer, opened)}:")))
        value = texts.get(key, "") if key in verdict.problems else _scalar(verdict.values.get(key))
        lines.append((key, _line(key, f"{_indented(section, name)}: {value}", verdict)))
        before = section
    return lines


def _indented(section: str, name: str) -> str:
    """Return a name as far to the right as it lies deep."""
    return "  " * len(section.split(".") if section else ()) + name


def _line(key: str, text: str, verdict: Verdict) -> Text:
    text = sanitise(text, LONGEST_LINE)
    if key in verdict.problems:
        return Text(WRONG + text, "bold underline")
    if verdict.differs(key):
        return Text(DIFFERS + text, "bold")
    return Text(PLAIN + text)


def _scalar(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    style = None if str(plain).isprintable() else '"'
    dumped = yaml.safe_dump(
        plain, default_flow_style=True, default_style=style, allow_unicode=True, width=2**20
    )
    return dumped.removesuffix("\n").removesuffix("\n...")
