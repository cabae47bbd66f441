"""`qvl data show`: records as training reads them, token by token."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.data.options import BAD_DATA, Force
from trainer.cli.options import AsJson, RunsDir
from trainer.cli.terminal import CommandFailed, say, show_json

if TYPE_CHECKING:
    from trainer.inspect.inspection import Inspection

SPLITS = ("train", "validation")
PAGE_RECORDS = 500  # of an HTML page; with their pictures they make it large


def show(  # noqa: PLR0913
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|CONFIG|RUN",
            help="A data file (FILE:17 is its line 17), a YAML file or preset, or a run.",
        ),
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[N|N-M] [KEY=VALUE]...", help="Records, counted from 1; options that win."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="train or validation.")] = "train",
    epoch: Annotated[
        int, typer.Option(min=0, help="Of training, from 0: decides augmentation and grouping.")
    ] = 0,
    model: Annotated[
        str | None, typer.Option(help="Checkpoint that reads a data file: folder or hub id.")
    ] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="One line for every token.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a page for a browser instead.")
    ] = None,
    force: Force = False,
    runs_dir: RunsDir = None,
    json: AsJson = False,
    serve: Annotated[bool, typer.Option("--serve", hidden=True)] = False,
) -> None:
    """Show records exactly as training reads them: text, pictures, and what each token is for.

    Trained tokens are coloured, or stand in ⟦ ⟧ where there are no colours. Without N the first
    record is shown. --json writes one object a record and line. A record that would be skipped is
    shown with the reason. Exit code 2 where data, model or configuration cannot be read.
    """
    from trainer.cli.data.serve import serve as answer_questions
    from trainer.cli.data.target import chosen_records, configuration, read_target
    from trainer.inspect.inspector import Inspector
    from trainer.inspect.opened import open_data

    named = read_target(target, what or [], model)
    if serve:
        answer_questions(named, runs_dir)
        return
    if split not in SPLITS:
        raise CommandFailed(f"no split {split!r}; use one of {', '.join(SPLITS)}", BAD_DATA)
    opened = open_data(configuration(named, runs_dir), named.name)
    numbers = chosen_records(named, opened.split(split).records.dataset)
    inspector = Inspector(opened)
    seen = (inspector.inspect(split, number, epoch) for number in numbers)
    if html is not None:
        _write_page(seen, len(numbers), named.name, html, force=force)
    elif json:
        for it in seen:
            show_json(it.as_json(), in_one_line=True)
    else:
        _print(seen, tokens=tokens)


def _print(inspections: Iterable["Inspection"], *, tokens: bool) -> None:
    from rich.console import Console

    from trainer.cli.data.shown_text import record_text, token_table

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    plain = console.color_system is None or console.no_color
    for seen in inspections:
        console.print(token_table(seen) if tokens else record_text(seen, plain=plain))


def _write_page(
    inspections: Iterable["Inspection"], count: int, title: str, target: Path, *, force: bool
) -> None:
    from trainer.data.new_file import new_file, refuse_to_overwrite
    from trainer.inspect.page import write_page

    if count > PAGE_RECORDS:
        what = f"a page of {count} records is too large"
        raise CommandFailed(f"{what}; ask for {PAGE_RECORDS} at most", BAD_DATA)
    refuse_to_overwrite(target, force=force)
    with new_file(target) as file:
        write_page(inspections, title, file)
    say(f"{count} {'record' if count == 1 else 'records'} in {target.absolute()}")
