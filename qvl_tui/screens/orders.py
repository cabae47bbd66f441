"""Carry out what is asked for a run on the list."""

from typing import Any

from textual.app import App

from qvl_tui.desk import Desk
from qvl_tui.run_line import RunLine
from qvl_tui.screens.ask import ask
from qvl_tui.screens.prompt import PromptScreen, at_most
from trainer.run.about import NOTE_CHARACTERS, TITLE_CHARACTERS
from trainer.run.text import sanitise


def resume(app: App[Any], desk: Desk, line: RunLine) -> None:
    """Let a run go on from its newest checkpoint."""
    name = line.layout.name
    ask(app, desk, f"{name} goes on", "resume", name, "--detach", "--json")


def show_stop(app: App[Any], desk: Desk, line: RunLine) -> None:
    """Ask whether to stop a run, and show how it stops; it is read for as long."""
    from qvl_tui.screens.stop import StopScreen

    def close(_answer: None) -> None:
        desk.reader.close(line.layout)

    app.push_screen(StopScreen(desk, desk.reader.open(line.layout)), close)


async def write_note(app: App[Any], desk: Desk, line: RunLine) -> None:
    """Ask for a note about a run. Runs in a worker."""
    prompt = PromptScreen(f"Note about {line.name}", line.note, at_most(NOTE_CHARACTERS))
    text = await app.push_screen_wait(prompt)
    if text is not None and text != line.note:
        _tell(app, desk, line, "noted", "--", text)


async def write_name(app: App[Any], desk: Desk, line: RunLine) -> None:
    """Ask for a display name of a run. Runs in a worker."""
    title = f"Display name of {sanitise(line.layout.name, None)}; empty: the folder's name"
    text = await app.push_screen_wait(PromptScreen(title, line.title, at_most(TITLE_CHARACTERS)))
    if text is not None and text != line.title:
        _tell(app, desk, line, "named", f"--title={text}")


def _tell(app: App[Any], desk: Desk, line: RunLine, done: str, *texts: str) -> None:
    name = line.layout.name
    ask(app, desk, f"{name}: {done}", "note", name, "--json", *texts)
