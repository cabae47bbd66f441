"""No text from outside reaches the terminal as anything but text, on no screen and in no pane."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun
from qvl_tui.screens.run import RunScreen
from qvl_tui.settings import load_settings
from tests.qvl_tui.fuzz.commands import Answer, Commands
from tests.qvl_tui.fuzz.theatre import show_stop
from tests.qvl_tui.hostile import (
    HostileGpus,
    file_name,
    hostile_run,
    refused_run,
    write_hostile_settings,
)
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live
from tests.qvl_tui.recorded_events import NOW
from trainer.run.layout import RunLayout

MARK = "wolf"  # what every hostile text has besides, to see where it is shown
TEXTS = {
    "markup": "[bold red]wolf[/] [/] [link=http://x]a[/link] [@click=app.quit]b[/] \\[",
    "an escape sequence": "\x1b[2J\x1b[Hwolf\x1b[31;5m\x1bc",
    "a window title": "\x1b]0;wolf\x07wolf\x1b]52;c;d29sZg==\x1b\\",
    "an unended sequence": "wolf\x1b]0;never ends wolf",
    "a bare escape": "wolf \x1b",
    "C1 controls": "wolf\x9b31m\x9d0;t\x9c\x90q\x9c\x85",
    "C0 controls": "wolf\x00\x01\x07\x08\x0b\x0c\x0e\x7fwolf",
    "bidi overrides": "wolf \u202egnp.exe\u202c \u2066a\u2069 \u200f\u061c",
    "what is invisible": "wolf\u200b\ufeff\u2060\u00ad\u2028\u2029\U000e0041\u180ewolf",
    "wide letters": "wolf漢字テスト" + "測" * 300 + "🇩🇪👩‍👩‍👧‍👦",
    "combining marks": "wolf" + "e\u0301\u0302" * 300 + "\u0301",
    "several lines": "wolf\n\n  wolf\r\n\n\twolf\v\x85" + "\n" * 40,
    "a progress line": "10 %\r\x1b[K50 %\rwolf\r",
    "a long line": "wolf" + "x" * 2**18,  # in each field: a line has more than 1 MB
    "nothing but blanks": " \t wolf  ",
}


WALKS = [(kind, (140, 44)) for kind in TEXTS] + [
    (kind, (60, 20)) for kind in ("markup", "an escape sequence", "wide letters")
]
PLACES = {
    *("list", "delete", "deleted", "refusal", "filter", "palette", "run", "log search", "stop"),
    *("compare", "form", "presets", "GPUs", "save", *(f"pane {number}" for number in range(1, 9))),
}
Stage = tuple[Player, list[RunLayout], Commands]


@pytest.fixture
def open_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stage]]:
    """Return what opens the app over hostile runs; it is closed at the end."""
    opened: list[Player] = []

    def opened_over(text: str) -> Stage:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.chdir(tmp_path)
        write_hostile_settings(text)
        (tmp_path / file_name(text)).mkdir()
        runs = tmp_path / "runs"
        layouts = [
            hostile_run(runs, f"a {file_name(text)}", text),
            refused_run(runs, f"b {file_name(text)}", text),
        ]
        commands = Commands(runs)
        monkeypatch.setattr("qvl_tui.actions.asyncio.create_subprocess_exec", commands.start)
        monkeypatch.setattr("qvl_tui.widgets.form.gpu_use.Gpus", lambda _: HostileGpus(text))
        settings, notice = load_settings()
        opened.append(Player(Desk(runs, settings=settings, now=lambda: NOW)))
        opened[0].app.notify(notice or "")
        return opened[0], layouts, commands

    yield opened_over
    for each in opened:
        each.close()


class Walk:
    """Looks at everything that is shown on the way."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.told: set[str] = set()  # where the mark was shown

    def see(self, where: str) -> None:
        """Let what was asked for be done, and look at what is written and what is shown."""
        self.player.wait(0.6)
        self.player.look()
        if MARK in self.player.picture():
            self.told.add(where)

    def press(self, where: str, *keys: str) -> None:
        """Press keys one after the other; what is written meanwhile is looked at too."""
        for key in keys:
            self.player.press(key)
            self.player.wait(0.1)
        self.see(where)

    def go(self, where: str, act: Callable[[], object]) -> None:
        """Do something, and look."""
        act()
        self.see(where)


def walk_through_the_list(walk: Walk, commands: Commands, text: str) -> None:
    """Let the list of runs, its questions and what commands answer say what they have to say."""
    walk.see("list")
    walk.press("list", "down", "up", "o", "O", "x")
    walk.press("delete", "d")
    walk.press("deleted", "y")
    walk.press("note", "N")
    walk.press("name", "escape", "R")
    commands.answer = Answer(1, text)
    walk.press("refusal", "escape", "r", "d", "y")
    walk.press("filter", "slash")
    walk.go("filter", lambda: walk.player.paste(text))
    walk.press("filter", "escape")
    walk.press("palette", "ctrl+p", *"open")
    walk.press("palette", "escape", "escape")


def walk_through_a_run(walk: Walk, layout: RunLayout, panes: str, text: str) -> None:
    """Look into panes of a run, alone and beside others, search its log, and stop it."""
    player = walk.player
    player.post(OpenRun(layout))
    walk.see("run")
    for pane in panes:
        player.call(lambda number=int(pane): pane_alone(player.app, number))
        walk.see(f"pane {pane}")
        walk.press(f"pane {pane}", "down", "enter")
        player.call(lambda number=int(pane): pane_beside_others(player.app, number))
        walk.see(f"pane {pane}")
    player.post(OpenRun(layout))
    walk.press("log search", "4", "c", "slash")
    walk.go("log search", lambda: player.paste(text))
    walk.press("run", "enter", "escape", "k", "v", "r")
    player.call(lambda: show_stop(player.app, layout))
    walk.press("stop", "y", "N")
    player.call(player.app._back_to_runs)


def pane_alone(app: QvlApp, number: int) -> None:
    """Give a pane the whole body, whatever was done in the one before."""
    screen = app.screen
    assert isinstance(screen, RunScreen)
    screen._full = True
    screen.action_pane(number)


def pane_beside_others(app: QvlApp, number: int) -> None:
    """Put a pane back beside the others."""
    screen = app.screen
    assert isinstance(screen, RunScreen)
    screen._full = False
    screen.action_pane(number)


def walk_through_the_form(walk: Walk, layout: RunLayout, commands: Commands, text: str) -> None:
    """Fill the form from a run, let every picker and the preflight speak, and start."""
    player = walk.player
    commands.answer = Answer(1, text)
    walk.go("form", lambda: player.post(OpenNewRun(layout.config)))
    walk.press("form", "f6", "tab", "down", "f8", "f5")
    walk.go("form", lambda: player.paste(text))
    walk.press("presets", "f3", *MARK)
    with live(layout):  # it trains on the GPU
        walk.press("GPUs", "escape", "f4")
    walk.press("pickers", "down", "enter", "ctrl+o", "down", "escape")
    walk.press("save", "f2", "enter", "escape")
    commands.answer = Answer(0, text)
    walk.press("form", "f7", "f7", "f7", "f6")
    player.call(player.app._back_to_runs)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "size"), WALKS, ids=str)
def test_hostile_text_is_text_on_every_screen(
    kind: str, size: tuple[int, int], open_app: Callable[[str], Stage]
):
    text = TEXTS[kind]
    player, layouts, commands = open_app(text)
    player.resize(*size)
    walk = Walk(player)
    walk_through_the_list(walk, commands, text)
    for layout, panes in zip(layouts, ("12345678", "16"), strict=True):
        walk_through_a_run(walk, layout, panes, text)
    walk.go("compare", lambda: player.post(OpenCompare(layouts)))
    walk.press("compare", "2", "3", "b", "1")
    for layout in layouts:
        walk_through_the_form(walk, layout, commands, text)
    assert walk.told >= PLACES
