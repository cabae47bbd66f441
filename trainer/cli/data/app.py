"""`qvl data`: convert, split and check data before a run."""

import typer

from trainer.cli.data.convert import convert
from trainer.cli.data.split import split

data = typer.Typer(
    name="data", help="Convert and split data files.", no_args_is_help=True, rich_markup_mode=None
)
for command in (convert, split):
    data.command()(command)
