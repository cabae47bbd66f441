"""`qvl data convert`: records of any format as native JSONL."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.data.options import (
    Columns,
    Force,
    Format,
    HubConfig,
    HubPart,
    SkipBad,
    named_columns,
    named_format,
    tell_what_was_left_out,
)
from trainer.cli.options import AsJson
from trainer.cli.terminal import say, show_json


def convert(  # noqa: PLR0913
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="JSONL, JSON, CSV or Parquet, or hub:OWNER/NAME from the hub."
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The JSONL file to write.")],
    format_name: Format = "auto",
    columns: Columns = None,
    hub_config: HubConfig = None,
    hub_split: HubPart = "train",
    skip_bad: SkipBad = False,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write the records of IN, in whatever format they are, as native JSONL.

    Records of dense captioning stay what they are, in their one spelling. Relative images are
    named from OUT's folder. Exit code 2 where something could not be read, with file and line.
    """
    from trainer.cli.data.bar import Bar
    from trainer.data.convert import Reading
    from trainer.data.convert import convert as write_native
    from trainer.data.rows.open import HubSplit

    reading = Reading(
        format=named_format(format_name),
        columns=named_columns(columns),
        part=HubSplit(hub_config, hub_split),
    )
    bar = Bar()
    try:
        done = write_native(source, target, reading, force=force, progress=bar)
    finally:
        bar.close()
    if json:
        told = [
            {"file": it.source.file, "line": it.source.line, "reason": it.reason}
            for it in done.problems
        ]
        counts = {"format": done.format, "written": done.written, "left_out": done.left_out}
        show_json({**counts, "file": str(target.absolute()), "problems": told})
    else:
        say(f"{done.written} records ({done.format}) in {target}")
    tell_what_was_left_out(done, skip_bad=skip_bad)
