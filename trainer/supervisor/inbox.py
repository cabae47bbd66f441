"""Take the commands of people: which are for this attempt, and which are refused."""

from typing import get_args

from trainer.run.commands import Command, parse_command
from trainer.run.events import CommandName, CommandReceived
from trainer.run.layout import RunLayout
from trainer.run.tail import Tail

KNOWN: tuple[str, ...] = get_args(CommandName)


class Inbox:
    """New lines of commands.jsonl, each answered once over all attempts of the run."""

    def __init__(self, layout: RunLayout, answered: set[str]) -> None:
        """Begin at the file's start, passing over the ids that earlier attempts answered."""
        self._tail = Tail(layout.commands)
        self._answered = answered
        self.unreadable_lines = 0

    def read(self, attempt: int) -> list[CommandReceived]:
        """Return the answer to every new command."""
        answers = [answer_to(command, attempt) for command in self._commands()]
        new = [answer for answer in answers if answer.id not in self._answered]
        self._answered |= {answer.id for answer in new}
        return new

    def _commands(self) -> list[Command]:
        commands: list[Command] = []
        for line in self._tail.read():
            try:
                commands.append(parse_command(line))
            except ValueError:
                self.unreadable_lines += bool(line.strip())
        return commands


def answer_to(command: Command, attempt: int) -> CommandReceived:
    """Return whether attempt `attempt` takes a command."""
    reason = ""
    if command.command not in KNOWN:
        reason = f"unknown command; known are {', '.join(KNOWN)}"
    elif command.attempt != attempt:
        reason = f"it is for attempt {command.attempt}, this is attempt {attempt}"
    return CommandReceived(
        id=command.id, command=command.command, accepted=not reason, reason=reason
    )
