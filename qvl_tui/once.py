"""One frame of the screen as text, for pipes and scripts."""

import asyncio
import shutil
import sys
from pathlib import Path

from textual.pilot import Pilot

from qvl_tui.app import QvlApp
from qvl_tui.begin import new_app
from trainer.run.layout import RunLayout

LONGEST_WAIT_SECONDS = 60.0


def show_frame(first: RunLayout | None, runs_dir: Path | None) -> None:
    """Write the frame of a run, or of the list of runs, to standard output."""
    size = shutil.get_terminal_size((120, 40))
    app = new_app(first, runs_dir)
    frame = asyncio.run(draw(app, (size.columns, size.lines), colour=sys.stdout.isatty()))
    sys.stdout.write(frame)
    sys.stdout.flush()


async def draw(app: QvlApp, size: tuple[int, int], *, colour: bool) -> str:
    """Return what a terminal of `size` (columns, rows) shows once all that is there is read."""
    frame = ""

    async def look(pilot: Pilot[object]) -> None:
        nonlocal frame
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            await app.settled()
        await pilot.pause()
        frame = text_of(app, colour=colour)
        app.exit()

    await app.run_async(headless=True, size=size, auto_pilot=look)
    return frame


def text_of(app: QvlApp, *, colour: bool) -> str:
    """Return the screen as it stands, line by line, with colours or without."""
    strips = app.screen._compositor.render_strips()
    if colour:
        return "".join(f"{strip.render(app.console)}\n" for strip in strips)
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips)
