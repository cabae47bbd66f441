"""`qvl data check`: every record looked at before a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.data.options import BAD_DATA
from trainer.cli.options import AsJson, RunsDir
from trainer.cli.terminal import CommandFailed, say, show_json
from trainer.words.check import check_lines

if TYPE_CHECKING:
    from trainer.check.checking import Checked, Manner
    from trainer.config.schema import RunConfig

PRESET = "balanced"
NO_MODEL = "no/model"


def check(  # noqa: PLR0913
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|FILE... [KEY=VALUE]...",
            help="A YAML file or preset, or data files; options that win.",
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="With data files: the checkpoint whose tokens count.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List everything, not only examples.")
    ] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every picture, to be certain (slower).")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; by default one a processor.")
    ] = None,
    runs_dir: RunsDir = None,
    json: AsJson = False,
) -> None:
    """Look at every record: what it takes, and what is wrong with it; needs no GPU.

    Of pictures only headers and ends are read. What was found is kept: interrupted and called
    again, it goes on from there. Exit code: 0 where every record can be trained, also with
    warnings; 2 where some would be skipped or refused, or the configuration is bad.
    """
    from trainer.check.checking import Manner

    config = _config(what, model)
    checked = _checked(config, Manner(decode=decode, keep_every=every, workers=workers))
    told = _told(config, checked, runs_dir)
    show_json(told) if json else say("\n".join(check_lines(told)))
    if checked.errors:
        raise typer.Exit(BAD_DATA)


def _config(what: Sequence[str], model: str | None) -> "RunConfig":
    """Return the configuration that is named, or the usual one with these files."""
    from trainer.config.load import load_config, preset_names

    named = [it for it in what if "=" not in it or Path(it).exists()]
    overrides = [it for it in what if it not in named]
    if not named:
        raise CommandFailed("nothing to check; name a configuration or data files", BAD_DATA)
    if named[0] in preset_names() or Path(named[0]).suffix in (".yaml", ".yml"):
        if len(named) > 1:
            raise CommandFailed(f"{named[1]}: name either a configuration or data files", BAD_DATA)
        return load_config(named[0], [*([f"model.path={model}"] if model else []), *overrides])
    return _config_of_files(named, model, overrides)


def _config_of_files(files: list[str], model: str | None, overrides: list[str]) -> "RunConfig":
    import orjson

    from trainer.config.load import load_config

    paths = orjson.dumps([str(Path(file).absolute()) for file in files]).decode()
    given = [f"data.train={paths}", *overrides]
    if model is None and not any(it.startswith("model.path=") for it in overrides):
        given.append(f"model.path={NO_MODEL}")
        return load_config(PRESET, given, files_must_exist=False)
    return load_config(PRESET, [*given, *([f"model.path={model}"] if model else [])])


def _checked(config: "RunConfig", manner: "Manner") -> "Checked":
    from trainer.check.checking import check_records
    from trainer.cli.data.bar import Bar

    bar = Bar()
    try:
        return check_records(config, manner, lambda done, total: bar(done, total, done))
    finally:
        bar.close()


def _told(config: "RunConfig", checked: "Checked", runs_dir: Path | None) -> dict[str, Any]:
    from trainer.check.report import report
    from trainer.check.summary import look_of
    from trainer.forecast.forecast import forecast
    from trainer.run.layout import runs_directory

    if config.model.path == NO_MODEL or "train" not in checked.tallies:
        return report(checked, None)
    looks = {name: look_of(tally) for name, tally in checked.tallies.items()}
    return report(checked, forecast(config, runs_directory(runs_dir), looks).as_json())
