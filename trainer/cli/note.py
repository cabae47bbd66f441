"""`qvl note`: a display name and a note for a run."""

from dataclasses import asdict, replace
from typing import Annotated

import typer

from trainer.cli.lookup import find_run
from trainer.cli.options import AsJson, RunName, RunsDir
from trainer.cli.terminal import CommandFailed, say, show_json
from trainer.run.about import About, read_about, write_about


def note(
    run: RunName,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="The note; an empty one removes it.")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Display name beside the run's name; empty: none.")
    ] = None,
    runs_dir: RunsDir = None,
    json: AsJson = False,
) -> None:
    """Note something about a run, or give it a display name; with neither, show both."""
    layout = find_run(run, runs_dir)
    before = read_about(layout)
    try:
        about = replace(before, note=before.note if text is None else text)
        about = replace(about, title=about.title if title is None else title)
    except ValueError as error:
        raise CommandFailed(f"{layout.name}: {error}", code=2) from error
    if about != before:
        write_about(layout, about)
    if json:
        show_json({"name": layout.name, **asdict(about)})
    else:
        say("\n".join(about_lines(layout.name, about)))


def about_lines(name: str, about: About) -> list[str]:
    """Return what is noted about a run."""
    first = f"{name}: {about.title}" if about.title else name
    return [first, *(f"  {line}" for line in about.note.splitlines())]
