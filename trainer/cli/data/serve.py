"""Answer a program's questions about records, line by line, until it goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from trainer.cli.data.target import Target, chosen_records, configuration
from trainer.cli.terminal import CommandFailed
from trainer.config.errors import ConfigError, ModelMissing
from trainer.data.errors import DataError

if TYPE_CHECKING:
    from trainer.inspect.opened import Opened


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
        first = _first(target, opened)
    except (ConfigError, ModelMissing, DataError, CommandFailed) as error:
        _send({"error": str(error)})
        return
    answering = Answering.about(Inspector(opened))
    _send({"opened": {**answering.opened(), "first": first}})
    for line in sys.stdin.buffer:
        question = orjson.loads(line)
        _send({"id": question["id"], "answer": answering.answer(question)})


def _first(target: Target, opened: "Opened") -> int:
    """Return the record, from 1, that is meant; raises CommandFailed."""
    if target.numbers is None and target.line is None:
        return 1  # also where the split of training is empty
    return chosen_records(target, opened.split("train").records.dataset).start + 1


def _send(value: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
