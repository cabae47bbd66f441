"""Write to standard output and standard error; what comes from files is made fit to be shown."""

import os

import orjson
import typer

from trainer.run.text import sanitise

STDOUT, STDERR = 1, 2


class CommandFailed(Exception):
    """A command that could not do what was asked; the message says what to do."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def say(text: str = "") -> None:
    """Write lines to standard output."""
    typer.echo(sanitise(text, None, keep_newlines=True))


def complain(text: str) -> None:
    """Write lines to standard error."""
    typer.echo(sanitise(text, None, keep_newlines=True), err=True)


def show_json(value: object) -> None:
    """Write a value to standard output as JSON."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def write_all(descriptor: int, data: bytes) -> bool:
    """Write bytes past Python's buffers; return False when nobody reads them any more.

    A terminal that takes nothing at the moment loses the text, the writer goes on.
    """
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
