"""`qvl watch`: the screen as a command."""

import sys
from typing import Annotated

import typer

from qvl_tui.begin import show_screen
from qvl_tui.once import show_frame
from trainer.cli.lookup import find_run
from trainer.cli.options import RunsDir
from trainer.cli.terminal import CommandFailed


def watch(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="All when left out.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Write one frame as text and end.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Open the screen with one run, or with the list of all.

    --once writes a single picture of it to standard output, as wide and as high as the terminal,
    or as COLUMNS and LINES say.
    """
    layout = find_run(run, runs_dir) if run else None
    if once:
        show_frame(layout, runs_dir)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        show_screen(layout, runs_dir)
    else:
        raise CommandFailed("the screen needs a terminal; `qvl watch --once` writes one frame", 2)
