"""What people ask of a run, as lines of commands.jsonl."""

import secrets
import time
from dataclasses import dataclass

import orjson
from pydantic import TypeAdapter

from trainer.run.append import append_line
from trainer.run.events import CommandName
from trainer.run.layout import RunLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One request to one attempt of a run; the name may be one this version does not know."""

    id: str
    attempt: int
    command: str
    time: float = 0.0  # Unix seconds


_ADAPTER = TypeAdapter(Command)


def send_command(layout: RunLayout, attempt: int, name: CommandName) -> Command:
    """Ask attempt `attempt` of the run for `name` and return the command with its new id."""
    command = Command(id=secrets.token_hex(8), attempt=attempt, command=name, time=time.time())
    append_line(layout.commands, orjson.dumps(command))
    return command


def parse_command(line: bytes) -> Command:
    """Return the command of one line.

    Raises:
        ValueError: The line is no command.

    """
    return _ADAPTER.validate_python(orjson.loads(line))
