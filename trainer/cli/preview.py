"""`qvl preflight`: what a run will look at, need and take, without starting it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import AsJson, RunsDir
from trainer.cli.terminal import CommandFailed, say, show_json
from trainer.words.forecast import forecast_lines

if TYPE_CHECKING:
    from trainer.config.schema import RunConfig


def preflight(
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of a preset.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options that win.")
    ] = None,
    runs_dir: RunsDir = None,
    json: AsJson = False,
) -> None:
    """Say what a run would look at, need and take; nothing is made, loaded or started.

    At most 500 records of each split are looked at, spread over its files, and of images only the
    headers. Exit code: 0, also where problems were found; 2 bad configuration or data, 1 anything
    else.
    """
    from trainer.config.load import load_config
    from trainer.run.layout import runs_directory

    told = _told(load_config(config, overrides or []), runs_directory(runs_dir))
    show_json(told) if json else say("\n".join(forecast_lines(told)))


def _told(config: "RunConfig", runs: Path) -> dict[str, Any]:
    from trainer.check.checking import kept_looks
    from trainer.cli.preflight import bytes_wanted, check_disk, check_gpu, check_trackers
    from trainer.forecast.forecast import forecast

    folder = next(it for it in (runs, *runs.parents) if it.exists())
    wanted = bytes_wanted(config)
    checks = (
        lambda: check_trackers(config),
        lambda: check_gpu(config),
        lambda: check_disk(runs, wanted),
    )
    disk = {
        "wanted_bytes": wanted,
        "free_bytes": shutil.disk_usage(folder).free,
    }
    looks = kept_looks(config)
    return {
        **forecast(config, runs, looks).as_json(),
        "refusals": list(_refusals(checks)),
        "disk": disk,
    }


def _refusals(checks: tuple[Callable[[], None], ...]) -> Iterator[str]:
    """Yield why the run would not be started."""
    for check in checks:
        try:
            check()
        except CommandFailed as error:
            yield str(error)
