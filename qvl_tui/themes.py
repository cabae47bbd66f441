"""Colours: the themes, the colours that tell series apart, the styles of states."""

from dataclasses import replace
from typing import Any

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from trainer.run.state import RunStateName

# Blue, orange, green, purple, yellow, cyan, red, grey: 3:1 and more against the background.
_SERIES_DARK = "#6cb6ff #f2a65a #7fcf8a #d98ce6 #e8d56b #56d0c8 #f48a8a #c9ced6"
_SERIES_LIGHT = "#1f63d6 #b8500c #1a7f37 #9333a8 #857000 #0b7285 #c62828 #4b5563"
# After Okabe and Ito, "Color Universal Design" (2008); on light ground darkened until legible.
_SERIES_SAFE_DARK = "#56b4e9 #e69f00 #009e73 #f0e442 #cc79a7 #d55e00 #2f86c9 #d0d4d9"
_SERIES_SAFE_LIGHT = "#0072b2 #c07400 #00805d #8a7f00 #b0558a #c04f00 #5a4fcf #3c4149"
# Numbers of the sixteen colours of plain terminals; which shade they have is the terminal's affair.
_SERIES_ANSI_DARK = (12, 11, 10, 13, 7, 14, 9, 6)
_SERIES_ANSI_LIGHT = (4, 1, 2, 5, 3, 6, 8, 12)


def _dark(name: str, accent: str, good: str, warning: str, bad: str) -> Theme:
    return Theme(
        name=name,
        primary=accent,
        secondary="#8b98a8",
        accent=accent,
        success=good,
        warning=warning,
        error=bad,
        foreground="#d7dce2",
        background="#14171b",
        surface="#1a1e24",
        panel="#222830",
        dark=True,
        variables={
            "text-muted": "#98a2ae",  # Textual's own has no fixed colour, which content cannot use
            "block-cursor-background": "#2d3846",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-blurred-background": "#222a34",
            "border-blurred": "#39424e",
            "footer-background": "#1a1e24",
            "footer-description-foreground": "#a3adb9",
            "scrollbar": "#39424e",
            "scrollbar-background": "#171b20",
        },
    )


def _light(name: str, accent: str, good: str, warning: str, bad: str) -> Theme:
    return Theme(
        name=name,
        primary=accent,
        secondary="#5b6673",
        accent=accent,
        success=good,
        warning=warning,
        error=bad,
        foreground="#22272e",
        background="#f7f7f5",
        surface="#efefec",
        panel="#e4e5e2",
        dark=False,
        variables={
            "text-muted": "#5b6673",
            "block-cursor-background": "#cfdcec",
            "block-cursor-foreground": "#000000",
            "block-cursor-blurred-background": "#e0e6ee",
            "border-blurred": "#c3c7cb",
            "footer-background": "#efefec",
            "footer-description-foreground": "#4d5661",
            "scrollbar": "#bfc4ca",
            "scrollbar-background": "#eeeeeb",
        },
    )


THEMES = (
    _dark("qvl-dark", accent="#6cb6ff", good="#7fcf8a", warning="#e8b85a", bad="#f47c74"),
    _light("qvl-light", accent="#1f63d6", good="#1a7536", warning="#8f5a00", bad="#c02525"),
    _dark("qvl-colour-blind-dark", "#d9a0c4", good="#56b4e9", warning="#f7ef7d", bad="#dd6018"),
    _light("qvl-colour-blind-light", "#00705a", good="#0060a8", warning="#9b3c78", bad="#b03c00"),
)
_SERIES = {
    theme.name: tuple(Style(color=colour) for colour in colours.split())
    for theme, colours in zip(
        THEMES,
        (_SERIES_DARK, _SERIES_LIGHT, _SERIES_SAFE_DARK, _SERIES_SAFE_LIGHT),
        strict=True,
    )
}


def dress(app: App[Any]) -> None:
    """Register the themes in the form that the app's terminal can show.

    A terminal of sixteen colours gets its own colours by name, on its own background: nearest
    matches of true colours would fall together. Under NO_COLOR no colour code is written at all,
    and the cursor shows by reverse video.
    """
    coarse = app.no_color or app.console.color_system not in ("256", "truecolor")
    for theme in THEMES:
        app.register_theme(_of_sixteen(theme, reverse=app.no_color) if coarse else theme)
    if app.no_color:
        app._filters = [_Colourless()]  # Textual offers grey and `default`, which are colour codes


def series_styles(app: App[Any]) -> tuple[Style, ...]:
    """Return the styles of the eight slots of series in the theme that is shown."""
    theme = app.current_theme
    if theme.ansi:
        numbers = _SERIES_ANSI_DARK if theme.dark else _SERIES_ANSI_LIGHT
        return tuple(Style(color=RichColor.from_ansi(number)) for number in numbers)
    return _SERIES.get(theme.name) or _SERIES["qvl-dark" if theme.dark else "qvl-light"]


def state_style(app: App[Any], state: RunStateName) -> Style:
    """Return the style of a run's state; glyph and word stand beside it everywhere."""
    role, bold = _STATES[state]
    return Style(color=role_colour(app, role), bold=bold)


def state_words(state: RunStateName) -> str:
    """Return the style of a run's state as styles of content are written: `bold $accent`."""
    role, bold = _STATES[state]
    return f"bold ${role}" if bold else f"${role}"


def role_colour(app: App[Any], role: str) -> RichColor:
    """Return a colour of the theme that is shown, such as that of `warning`."""
    return Color.parse(app.theme_variables[role]).rich_color


_STATES: dict[RunStateName, tuple[str, bool]] = {
    "starting": ("accent", False),
    "running": ("accent", True),
    "stopping": ("warning", False),
    "finished": ("success", False),
    "stopped": ("foreground", False),
    "failed": ("error", True),
    "crashed": ("error", True),
    "stalled": ("warning", True),
}

_ANSI_ROLES = {
    # accent, good, warning, bad of the themes in the sixteen colours
    "qvl-dark": ("cyan", "green", "yellow", "bright_red"),
    "qvl-light": ("blue", "green", "magenta", "red"),
    "qvl-colour-blind-dark": ("bright_magenta", "bright_blue", "bright_yellow", "bright_red"),
    "qvl-colour-blind-light": ("cyan", "blue", "magenta", "red"),
}


def _of_sixteen(theme: Theme, *, reverse: bool) -> Theme:
    accent, good, warning, bad = (f"ansi_{name}" for name in _ANSI_ROLES[theme.name])
    blurred = "ansi_bright_black" if theme.dark else "ansi_white"
    return replace(
        theme,
        ansi=True,
        primary=accent,
        secondary=accent,
        accent=accent,
        success=good,
        warning=warning,
        error=bad,
        **dict.fromkeys(("foreground", "background", "surface", "panel", "boost"), "ansi_default"),
        variables={
            "ansi-background": "ansi_black" if theme.dark else "ansi_white",
            "ansi-foreground": "ansi_white" if theme.dark else "ansi_black",
            "text-muted": "ansi_default",
            "foreground-disabled": "ansi_default",
            "surface-active": "ansi_default",
            "border": accent,
            "border-blurred": blurred,
            "footer-key-foreground": accent,
            "scrollbar": blurred,
            "scrollbar-hover": accent,
            "scrollbar-active": accent,
            "scrollbar-background": "ansi_default",
            "scrollbar-background-hover": "ansi_default",
            "scrollbar-background-active": "ansi_default",
            **(_REVERSE if reverse else _cursor_of_sixteen(dark=theme.dark)),
        },
    )


_REVERSE = {
    # Textual 8.2 forgets `reverse` in lists of options; the underline stays.
    "block-cursor-text-style": "bold reverse underline",
    "block-cursor-background": "ansi_default",
    "block-cursor-blurred-text-style": "underline",
    "input-cursor-text-style": "reverse",
    "button-focus-text-style": "bold reverse",
}


def _cursor_of_sixteen(*, dark: bool) -> dict[str, str]:
    return {
        "block-cursor-foreground": "ansi_bright_white",
        "block-cursor-background": "ansi_blue",
        "block-cursor-blurred-text-style": "underline",
        "input-selection-background": "ansi_blue" if dark else "ansi_cyan",
    }


class _Colourless(LineFilter):
    """Take every colour away; bold, dim, underline and reverse stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colours, whatever lies behind them."""
        del background
        return [
            Segment(text, style and style.without_color, control)
            for text, style, control in segments
        ]
