"""The commands together, and how errors leave the program."""

import os
import sys

import typer

from trainer.cli.bench import bench
from trainer.cli.commands import checkpoint, evaluate, stop
from trainer.cli.data.app import data
from trainer.cli.delete import delete
from trainer.cli.demo import demo
from trainer.cli.doctor import doctor
from trainer.cli.note import note
from trainer.cli.preview import preflight
from trainer.cli.show import events, logs, models, runs, status
from trainer.cli.terminal import CommandFailed, complain
from trainer.cli.train import resume, train
from trainer.config.errors import ConfigError, ModelMissing
from trainer.data.errors import DataError
from trainer.run.lock import RunIsHeld

BAD_INPUT, FAILED = 2, 1

app = typer.Typer(
    name="qvl",
    help="Fine-tune Qwen3-VL on a remote GPU box.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    demo,
    preflight,
    train,
    resume,
    stop,
    checkpoint,
    evaluate,
    status,
    runs,
    logs,
    events,
    note,
    delete,
    models,
    bench,
    doctor,
):
    app.command()(command)
app.add_typer(data)


def main() -> None:
    """Run a command and leave with its exit code."""
    try:
        app()
    except Exception as error:
        if os.environ.get("QVL_DEBUG") == "1":
            raise
        complain(message_of(error))
        sys.exit(exit_code(error))


def exit_code(error: Exception) -> int:
    """Return 2 for configuration and data, 1 for anything else."""
    if isinstance(error, CommandFailed):
        return error.code
    return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED


def message_of(error: Exception) -> str:
    """Return what a person is told; only errors of our own speak for themselves."""
    if isinstance(error, CommandFailed | ConfigError | ModelMissing | DataError | RunIsHeld):
        return str(error)
    if isinstance(error, OSError):
        return f"{error}; QVL_DEBUG=1 shows where"
    return f"{type(error).__name__}: {error}; QVL_DEBUG=1 shows where"
