"""`qvl stop`, `qvl checkpoint`, `qvl evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.control import Answer, ask, await_answer, hurry_supervisor
from trainer.cli.lookup import find_run
from trainer.cli.options import AsJson, RunName, RunsDir
from trainer.cli.terminal import CommandFailed, say, show_json
from trainer.run.events import CommandName

Wait = Annotated[bool, typer.Option("--wait", help="Return once it is done, not once it is taken.")]


def stop(
    run: RunName,
    now: Annotated[
        bool, typer.Option("--now", help="SIGTERM at once; SIGKILL after its time.")
    ] = False,
    wait: Wait = False,
    runs_dir: RunsDir = None,
    json: AsJson = False,
) -> None:
    """Stop a run: it finishes the step, writes a checkpoint and final/, and leaves."""
    layout = find_run(run, runs_dir)
    answer = ask(layout, "stop", wait=wait and not now)
    if now:
        if not answer.done and not hurry_supervisor(layout):
            raise CommandFailed(f"{layout.name}: its supervisor is not on this host; stop it there")
        answer = await_answer(layout, answer.command, wait=wait)
    show(answer, layout.name, json=json)


def checkpoint(
    run: RunName, wait: Wait = False, runs_dir: RunsDir = None, json: AsJson = False
) -> None:
    """Let a run write a checkpoint and go on."""
    _ask_and_show("checkpoint", run, runs_dir, wait=wait, json=json)


def evaluate(
    run: RunName, wait: Wait = False, runs_dir: RunsDir = None, json: AsJson = False
) -> None:
    """Let a run validate now and go on."""
    _ask_and_show("evaluate", run, runs_dir, wait=wait, json=json)


def _ask_and_show(
    name: CommandName, run: str, runs_dir: Path | None, *, wait: bool, json: bool
) -> None:
    layout = find_run(run, runs_dir)
    show(ask(layout, name, wait=wait), layout.name, json=json)


def show(answer: Answer, name: str, *, json: bool) -> None:
    """Tell what became of a command."""
    if json:
        show_json(answer.as_json())
        return
    command = answer.command.command
    if answer.done and command == "stop":
        say(f"{name}: {answer.state} at step {answer.step:,}")
    elif answer.done:
        say(f"{name}: {command} done at step {answer.step:,}")
    else:
        say(f"{name}: {command} acknowledged by attempt {answer.command.attempt}")
