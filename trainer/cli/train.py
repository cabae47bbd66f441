"""`qvl train` and `qvl resume`."""

from typing import Annotated

import typer

from trainer.cli.manner import Manner
from trainer.cli.options import RunName, RunsDir

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options that win.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Start the run and leave it alone.")]
Foreground = Annotated[
    bool, typer.Option("--foreground", help="Supervise in this process (containers, SLURM).")
]
CopyEvents = Annotated[
    str | None, typer.Option("--events", metavar="-", help="`-`: copy the events to stdout.")
]
Json = Annotated[bool, typer.Option("--json", help="With --detach: name the run as JSON.")]


def train(  # noqa: PLR0913
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of a preset.")],
    overrides: Overrides = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    runs_dir: RunsDir = None,
    detach: Detach = False,
    foreground: Foreground = False,
    events: CopyEvents = None,
    json: Json = False,
) -> None:
    """Train as a configuration says.

    The run lives on when this command or its terminal goes away. Exit code: 0 finished, 3 stopped
    on request with a checkpoint, 2 bad configuration or data, 1 anything else.
    """
    from trainer.cli.begin import begin_run

    manner = Manner(detach=detach, foreground=foreground, events=events, json=json)
    named = [*(overrides or []), *([f"name={name}"] if name else [])]
    raise typer.Exit(begin_run(config, named, runs_dir, manner))


def resume(  # noqa: PLR0913
    run: RunName,
    overrides: Overrides = None,
    runs_dir: RunsDir = None,
    detach: Detach = False,
    foreground: Foreground = False,
    events: CopyEvents = None,
    json: Json = False,
) -> None:
    """Let a run go on from its newest checkpoint, with the very same numbers.

    Options that do not alter the numbers may be changed with KEY=VALUE.
    """
    from trainer.cli.begin import resume_run

    manner = Manner(detach=detach, foreground=foreground, events=events, json=json)
    raise typer.Exit(resume_run(run, overrides or [], runs_dir, manner))
