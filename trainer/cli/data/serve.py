"""Answer a program's questions about records, line by line, until it goes."""

import sys
from pathlib import Path

import orjson

from trainer.cli.data.target import Target, configuration
from trainer.cli.terminal import CommandFailed
from trainer.config.errors import ConfigError, ModelMissing
from trainer.data.errors import DataError


def serve(target: Target, runs_dir: Path | None) -> None:
    """Answer on standard output what is asked on standard input, one JSON object a line.

    The first line says what was opened, or why it could not be. Ends with standard input, so
    with whoever asks.
    """
    from trainer.inspect.answering import Answering
    from trainer.inspect.inspector import Inspector
    from trainer.inspect.opened import open_data

    try:
        opened = open_data(configuration(target, runs_dir), target.name)
    except (ConfigError, ModelMissing, DataError, CommandFailed) as error:
        _send({"error": str(error)})
        return
    answering = Answering.about(Inspector(opened))
    _send({"opened": answering.opened()})
    for line in sys.stdin.buffer:
        question = orjson.loads(line)
        _send({"id": question["id"], "answer": answering.answer(question)})


def _send(value: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
