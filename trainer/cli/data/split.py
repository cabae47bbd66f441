"""`qvl data split`: a validation file out of a data file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.data.options import (
    BAD_DATA,
    Columns,
    Force,
    Format,
    SkipBad,
    named_columns,
    named_format,
    tell_what_was_left_out,
)
from trainer.cli.options import AsJson
from trainer.cli.terminal import CommandFailed, say, show_json

if TYPE_CHECKING:
    from trainer.data.split import Share


def split(  # noqa: PLR0913
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A data file of any format.")],
    validation: Annotated[
        str, typer.Option(metavar="SHARE|N", help="A share below 1, or how many records.")
    ] = "0.05",
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other records.")] = 0,
    format_name: Format = "auto",
    columns: Columns = None,
    skip_bad: SkipBad = False,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write FILE's records into NAME.train.jsonl and NAME.validation.jsonl beside it.

    The draw depends on seed and content alone. Records with the same content stay together, so
    that nothing is validated that was trained. Exit code 2 where something could not be read.
    """
    from trainer.cli.data.bar import Bar
    from trainer.data.convert import Reading
    from trainer.data.split import split as write_both
    from trainer.data.split import split_names

    reading = Reading(format=named_format(format_name), columns=named_columns(columns))
    bar = Bar()
    try:
        done = write_both(file, _share(validation, seed), reading, force=force, progress=bar)
    finally:
        bar.close()
    names = [str(name.absolute()) for name in split_names(file)]
    if json:
        counts = {"train": done.train, "validation": done.validation, "repeated": done.repeated}
        show_json({**counts, "left_out": done.read.left_out, "files": names})
    else:
        say(f"{done.train} records in {names[0]}\n{done.validation} records in {names[1]}")
    if done.repeated and not json:
        say(f"{done.repeated} records repeat another; they are on its side")
    tell_what_was_left_out(done.read, skip_bad=skip_bad)


def _share(text: str, seed: int) -> "Share":
    from trainer.data.split import Share

    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 < number < 1:
        return Share(share=number, seed=seed)
    if number >= 1 and number.is_integer():
        return Share(records=int(number), seed=seed)
    what = f"--validation {text} is neither a share below 1 nor a number of records"
    raise CommandFailed(f"{what}; write 0.05 or 500", BAD_DATA)
