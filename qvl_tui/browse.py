"""`qvl data browse`: the Data screen on a record."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from qvl_tui.begin import show_screen
from qvl_tui.messages import OpenData
from trainer.cli.options import RunsDir
from trainer.cli.terminal import CommandFailed


def browse(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|CONFIG|RUN",
            help="A data file (FILE:17 is its line 17), a YAML file or preset, or a run.",
        ),
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[N] [KEY=VALUE]...", help="A record, from 1; options that win."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Checkpoint that reads a data file: folder or hub id.")
    ] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Open the screen with records as training reads them; leaving it shows the runs."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandFailed("the screen needs a terminal; `qvl data show` writes text", 2)
    chosen = ("--model", model) if model else ()
    arguments = (target, *(what or ()), *chosen)
    show_screen(None, runs_dir, data=OpenData(arguments, Path(target).name))
