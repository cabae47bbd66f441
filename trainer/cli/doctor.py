"""`qvl doctor`."""

from dataclasses import asdict

import typer

from trainer.cli.options import AsJson, RunsDir
from trainer.cli.terminal import say, show_json
from trainer.run.layout import runs_directory


def doctor(runs_dir: RunsDir = None, json: AsJson = False) -> None:
    """Look over the machine and the packages; the exit code is 1 when something is bad."""
    from trainer.cli.doctor_report import all_checks, report_lines

    checks = all_checks(runs_directory(runs_dir))
    if json:
        show_json([asdict(it) for it in checks])
    else:
        say("\n".join(report_lines(checks)))
    raise typer.Exit(1 if any(it.status == "bad" for it in checks) else 0)
