"""`qvl status`, `runs`, `logs`, `events`, `models`: look at runs without touching them."""

import os
import sys
import time
from typing import Annotated

import typer

from trainer.cli.lookup import find_run
from trainer.cli.options import AsJson, RunName, RunsDir
from trainer.cli.status import Overview, overview, status_lines, table_lines
from trainer.cli.terminal import STDOUT, CommandFailed, fit_line, say, show_json, write_all
from trainer.cli.watch import watch as repeat
from trainer.run.layout import RunLayout, list_runs, runs_directory
from trainer.run.liveness import holder
from trainer.run.tail import Tail
from trainer.words.numbers import size

POLL_SECONDS = 0.25

Follow = Annotated[
    bool, typer.Option("-f", "--follow", help="Go on showing lines until the run ends.")
]


def status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="All when left out.")] = None,
    runs_dir: RunsDir = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again: until the run ends, or Ctrl-C.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show how a run is, or all of them: state, progress, alerts and what to do about them."""
    if watch:
        if json:
            raise CommandFailed("--watch is for people; `qvl events RUN -f` goes on as JSON", 2)
        layout = find_run(run, runs_dir) if run is not None else None
        raise typer.Exit(repeat(lambda: _look(layout, runs_dir)))
    if run is not None:
        one = overview(find_run(run, runs_dir))
        show_json(one.as_json()) if json else say("\n".join(status_lines(one)))
        return
    _show_all(_all(runs_dir), json=json)


def _look(layout: RunLayout | None, runs_dir: RunsDir) -> tuple[list[str], int | None]:
    """Return what --watch shows, and the exit code of a run that ended."""
    if layout is None:
        return _lines_of_all(_all(runs_dir)), None
    one = overview(layout)
    return status_lines(one), None if one.status.held else _end_code(one)


def _end_code(one: Overview) -> int:
    """Return the code with which a run ended that nobody holds any more."""
    if end := one.state.current.exit:
        return end.code
    return 0 if one.status.state == "finished" else 1


def runs(runs_dir: RunsDir = None, json: AsJson = False) -> None:
    """List all runs."""
    _show_all(_all(runs_dir), json=json)


def _all(runs_dir: RunsDir) -> list[Overview]:
    return [overview(it) for it in list_runs(runs_directory(runs_dir))]


def _show_all(found: list[Overview], *, json: bool) -> None:
    if json:
        show_json([it.as_json() for it in found])
    else:
        say("\n".join(_lines_of_all(found)))


def _lines_of_all(found: list[Overview]) -> list[str]:
    if not found:
        return ["no runs here; `qvl train CONFIG` starts one, `qvl demo` shows how"]
    return table_lines(found)


def logs(run: RunName, follow: Follow = False, runs_dir: RunsDir = None) -> None:
    """Show console.log: what the processes of a run wrote."""
    layout = find_run(run, runs_dir)
    show_lines(layout, Tail(layout.console), follow=follow, as_text=True)


def events(run: RunName, follow: Follow = False, runs_dir: RunsDir = None) -> None:
    """Show events.jsonl, one event a line."""
    layout = find_run(run, runs_dir)
    show_lines(layout, Tail(layout.events), follow=follow, as_text=os.isatty(STDOUT))


def show_lines(layout: RunLayout, tail: Tail, *, follow: bool, as_text: bool) -> None:
    """Write a file's lines to standard output, as text fit for a terminal or as they are."""
    sys.stdout.flush()
    while True:
        ended = not follow or not holder(layout).held
        while True:
            lines = tail.read(complete=ended)
            shown = [fit_line(it) if as_text else it for it in lines]
            if shown and not write_all(STDOUT, b"\n".join(shown) + b"\n"):
                return
            if tail.at_end:
                break
        if ended:
            return
        time.sleep(POLL_SECONDS)


def models(json: AsJson = False) -> None:
    """List models to start from, with a forecast of the GPU memory that each wants."""
    from trainer.config.suggestions import SUGGESTED_MODELS
    from trainer.forecast.suggested import as_json, memory_wanted

    if json:
        show_json([as_json(it) for it in SUGGESTED_MODELS])
        return
    width = max(len(it.path) for it in SUGGESTED_MODELS)
    say(f"{'model'.ljust(width)}  {'QLoRA':>7}  {'low':>7}  {'LoRA':>7}  GPU memory, forecast")
    for it in SUGGESTED_MODELS:
        wanted = memory_wanted(it)
        wants = (wanted.qlora_memory_bytes, wanted.low_memory_bytes, wanted.lora_memory_bytes)
        columns = "  ".join(size(want).rjust(7) for want in wants)
        say(f"{it.path.ljust(width)}  {columns}  {it.note}".rstrip())
