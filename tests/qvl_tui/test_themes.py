import asyncio
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorSystem
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from qvl_tui.charts.glyphs import MARKERS
from qvl_tui.themes import (
    THEMES,
    dress,
    role_colour,
    series_styles,
    state_style,
)
from trainer.words.lines import GLYPHS

NAMES = [theme.name for theme in THEMES]
MEANINGS = ("accent", "success", "warning", "error")


class Dressed(App[None]):
    def __init__(self, theme: str) -> None:
        super().__init__()
        dress(self)
        self.theme = theme


def ask(theme: str, question: Callable[[App[Any]], Any]) -> Any:
    async def session() -> Any:
        app = Dressed(theme)
        async with app.run_test():
            return question(app)

    return asyncio.run(session())


def luminance(colour: Color) -> float:
    """The relative luminance of WCAG 2."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: Color, second: Color) -> float:
    dim, bright = sorted((luminance(first), luminance(second)))
    return (bright + 0.05) / (dim + 0.05)


def truecolour(style: Style) -> Color:
    assert style.color is not None
    return Color.from_rich_color(style.color)


@pytest.fixture
def _rich_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def _sixteen_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("_rich_terminal")
@pytest.mark.parametrize("theme", NAMES)
def test_the_eight_series_colours_differ_and_stand_out_from_the_background(theme: str):
    styles, variables = ask(theme, lambda app: (series_styles(app), app.theme_variables))

    background = Color.parse(variables["background"])
    assert len(styles) == len(MARKERS) == len(set(MARKERS)) == 8
    assert len({style.color for style in styles}) == 8
    assert min(contrast(truecolour(style), background) for style in styles) >= 3


@pytest.mark.usefixtures("_rich_terminal")
@pytest.mark.parametrize("theme", NAMES)
def test_series_stay_apart_in_256_colours(theme: str):
    styles = ask(theme, series_styles)

    shown = {style.color.downgrade(ColorSystem.EIGHT_BIT).number for style in styles}
    assert len(shown) == 8


@pytest.mark.usefixtures("_rich_terminal")
@pytest.mark.parametrize("theme", NAMES)
def test_words_in_the_colours_of_the_theme_can_be_read(theme: str):
    variables = ask(theme, lambda app: app.theme_variables)

    for ground in ("background", "surface"):
        for role in (*MEANINGS, "foreground"):
            ratio = contrast(Color.parse(variables[role]), Color.parse(variables[ground]))
            assert ratio >= 4.5, (role, ground)


# Machado, Oliveira, Fernandes (2009), severity 1.0, for linear RGB.
BLINDNESS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def seen(colour: Color, kind: str) -> tuple[float, float, float]:
    """How a colour looks to somebody, as CIE Lab."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    red, green, blue = (
        min(max(sum(m * c for m, c in zip(row, linear, strict=True)), 0.0), 1.0)
        for row in BLINDNESS[kind]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(first: Color, second: Color, kind: str) -> float:
    pairs = zip(seen(first, kind), seen(second, kind), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


@pytest.mark.usefixtures("_rich_terminal")
@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("theme", [name for name in NAMES if "colour-blind" in name])
def test_good_warning_and_bad_differ_to_colour_blind_eyes(theme: str, kind: str):
    variables = ask(theme, lambda app: app.theme_variables)

    good, warning, bad = (Color.parse(variables[r]) for r in ("success", "warning", "error"))
    pairs = (good, warning), (good, bad), (warning, bad)
    assert min(difference(*pair, kind) for pair in pairs) > 20


@pytest.mark.usefixtures("_sixteen_colours")
@pytest.mark.parametrize("theme", NAMES)
def test_sixteen_colours_are_named_and_stay_apart(theme: str):
    styles, dark, native = ask(
        theme, lambda app: (series_styles(app), app.current_theme.dark, app.native_ansi_color)
    )

    shown = [style.color.downgrade(ColorSystem.STANDARD).number for style in styles]
    assert native
    assert len(set(shown)) == 8
    assert not {0} & set(shown) if dark else not {7, 15} & set(shown)


@pytest.mark.usefixtures("_sixteen_colours")
@pytest.mark.parametrize("theme", NAMES)
def test_the_meanings_differ_in_sixteen_colours(theme: str):
    colours = ask(theme, lambda app: [role_colour(app, role).number for role in MEANINGS])

    assert len(set(colours)) == len(MEANINGS)


@pytest.mark.parametrize("theme", NAMES)
def test_plain_terminals_know_every_variable_that_style_sheets_name(
    theme: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    plain = set(ask(theme, lambda app: app.theme_variables))
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("COLORTERM", "truecolor")

    assert set(ask(theme, lambda app: app.theme_variables)) <= plain


@pytest.mark.usefixtures("_rich_terminal")
@pytest.mark.parametrize("theme", [*NAMES, "nord", "textual-light", "ansi-dark"])
def test_every_state_has_a_style_and_every_theme_its_series(theme: str):
    def question(app: App[Any]) -> tuple[int, int]:
        return len([state_style(app, state) for state in GLYPHS]), len(series_styles(app))

    assert ask(theme, question) == (len(GLYPHS), 8)


# --- what leaves for the terminal ------------------------------------------------------------


class Painted(App[None]):
    """Colours of every kind, a table with its cursor, and an end by itself."""

    CSS = "Vertical { background: $error; color: $warning; border: round $accent; height: 6 }"

    def __init__(self) -> None:
        super().__init__()
        dress(self)
        self.theme = "qvl-dark"

    def compose(self) -> Any:
        yield Vertical(Static("words in colour", classes="words"))
        yield Static("[red]red[/] [dim]dim[/] [#123456 on #abcdef]both[/]")
        table: DataTable[str] = DataTable(cursor_type="row")
        table.add_columns("a", "b")
        table.add_row("first", "second")
        yield table

    def on_mount(self) -> None:
        self.query_one(DataTable).focus()
        self.set_timer(0.5, self.exit)


def sent_to_a_terminal(**environment: str) -> str:
    """What the painted app writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.qvl_tui.test_themes"],
        cwd=Path(__file__).parents[2],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "COLUMNS": "80", "LINES": "24", **environment},
    )
    os.close(theirs)
    sent = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(ours, 2**16)
        except OSError:  # the other end is closed
            break
        sent += piece
    os.close(ours)
    assert process.wait(10) == 0, sent
    return sent.decode(errors="replace")


def colour_codes(sent: str) -> set[str]:
    """The parameters of SGR sequences that choose a colour."""
    parameters = [
        part for found in re.findall(r"\x1b\[([0-9;]*)m", sent) for part in found.split(";") if part
    ]
    return {p for p in parameters if 30 <= int(p) <= 49 or 90 <= int(p) <= 107}


def test_no_colour_code_leaves_under_no_color_and_the_cursor_still_shows():
    sent = sent_to_a_terminal(TERM="xterm-256color", COLORTERM="truecolor", NO_COLOR="1")

    assert "words in colour" in sent
    assert not colour_codes(sent)
    assert re.search(r"\x1b\[([0-9]+;)*7(;[0-9]+)*m", sent), "reverse video marks the cursor"


def test_a_terminal_of_sixteen_colours_gets_no_others():
    sent = sent_to_a_terminal(TERM="xterm")

    assert "words in colour" in sent
    assert colour_codes(sent)
    assert not {"38", "48"} & colour_codes(sent)


def test_a_terminal_of_true_colours_gets_them():
    assert "38" in colour_codes(sent_to_a_terminal(TERM="xterm-256color", COLORTERM="truecolor"))


if __name__ == "__main__":
    Painted().run()
