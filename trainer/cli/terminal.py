"""Write to standard output and standard error; what comes from files is made fit to be shown."""

import os

import orjson
import typer

from trainer.run.text import escaped_in_json, sanitise

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


def show_json(value: object, *, in_one_line: bool = False) -> None:
    """Write a value to standard output as JSON; what steers a terminal is escaped in it."""
    option = 0 if in_one_line else orjson.OPT_INDENT_2
    try:
        text = orjson.dumps(value, option=option).decode()
    except orjson.JSONEncodeError:  # a file's name that is no UTF-8
        from trainer.run.codec import in_utf8

        text = orjson.dumps(in_utf8(value), option=option).decode()
    typer.echo(escaped_in_json(text))


def fit_line(line: bytes) -> bytes:
    """Return a line of a file as a terminal shows it as it is."""
    return sanitise(line.decode(errors="replace"), None).encode()


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
