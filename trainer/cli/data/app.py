"""`qvl data`: convert, split, check and look at data before a run."""

import typer

from trainer.cli.data.check import check
from trainer.cli.data.convert import convert
from trainer.cli.data.sets import sets
from trainer.cli.data.show import show
from trainer.cli.data.split import split

data = typer.Typer(
    name="data",
    help="Check, convert, split and look at data files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (check, convert, split, show, sets):
    data.command()(command)
