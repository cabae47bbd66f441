"""Options and words that the commands about data share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.terminal import CommandFailed, complain

if TYPE_CHECKING:
    from trainer.config.reading import ColumnsConfig, DataFormat
    from trainer.data.convert import Converted

BAD_DATA = 2
PROBLEMS_TOLD = 20

Format = Annotated[
    str,
    typer.Option(
        "--format", help="auto, native, llava, swift, dense or instruction.", metavar="NAME"
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Columns of instruction records, such as prompt=ask,response=reply (also input, "
        "system, image), or all options of data.columns as one JSON object.",
        metavar="ROLE=NAME,...|JSON",
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leaving out bad records is no failure.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
HubConfig = Annotated[str | None, typer.Option(help="Configuration of a hub data set.")]
HubPart = Annotated[str, typer.Option("--hub-split", help="Split of a hub data set.")]


def named_format(name: str) -> "DataFormat":
    """Return a format by its name; raises CommandFailed for another word."""
    from typing import get_args

    from trainer.config.reading import DataFormat

    known: Sequence[DataFormat] = get_args(DataFormat)
    for each in known:
        if name == each:
            return each
    raise CommandFailed(f"no format {name!r}; use one of {', '.join(known)}", BAD_DATA)


def named_columns(text: str | None) -> "ColumnsConfig":
    """Return columns by their roles; raises CommandFailed for what is no such option."""
    from trainer.config.reading import ColumnsConfig

    if text and text.lstrip().startswith("{"):
        return _columns_of_json(text)
    roles = tuple(it for it in ColumnsConfig.model_fields if not it.endswith("_template"))
    named: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        role, _, name = pair.partition("=")
        if role not in roles or not name:
            what = f"{pair} names no column; write ROLE=NAME with a role of {', '.join(roles)}"
            raise CommandFailed(what, BAD_DATA)
        named[role] = name
    return ColumnsConfig(**named)


def _columns_of_json(text: str) -> "ColumnsConfig":
    from pydantic import ValidationError

    from trainer.config.reading import ColumnsConfig

    try:
        return ColumnsConfig.model_validate_json(text)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors())
        raise CommandFailed(f"--columns: {'; '.join(problems)}", BAD_DATA) from error


def tell_what_was_left_out(done: "Converted", *, skip_bad: bool) -> None:
    """Name the first records that could not be read; raises CommandFailed unless that is fine."""
    for problem in done.problems[:PROBLEMS_TOLD]:
        complain(f"{problem.source}: {problem.reason}")
    if done.left_out > PROBLEMS_TOLD:
        complain(f"... and {done.left_out - PROBLEMS_TOLD} more")
    if done.left_out and not skip_bad:
        what = f"{done.left_out} records were left out; mend them, or accept it with --skip-bad"
        raise CommandFailed(what, BAD_DATA)
