"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")]
RunsDir = Annotated[
    Path | None, typer.Option(help="Folder of all runs; default QVL_RUNS, then ./runs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
