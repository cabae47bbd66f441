"""What people and machines ask a running trainer to do: signals, commands, a lost parent."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

from trainer.run.commands import Command, parse_command
from trainer.run.layout import RunLayout
from trainer.run.tail import Tail

StopReason = Literal["stop", "signal", "orphan"]


class StoppedBeforeTraining(Exception):
    """A stop was asked for while there was nothing to save yet."""


class StopHeard(BaseException):
    """A stop was asked for while data was waited for.

    No Exception, so that nobody who catches what is wrong with a record takes it for that.
    """


@dataclass
class Asked:
    """What is wanted and not yet done."""

    stop: StopReason | None = None
    checkpoint: bool = False
    evaluate: bool = False

    @classmethod
    def of_all(cls, ranks: Sequence["Asked"]) -> "Asked":
        """Return what any of the ranks was asked for."""
        return cls(
            stop=next((asked.stop for asked in ranks if asked.stop), None),
            checkpoint=any(asked.checkpoint for asked in ranks),
            evaluate=any(asked.evaluate for asked in ranks),
        )


def _by_itself(asked: Asked) -> list[Asked]:
    return [asked]


@dataclass
class Requests:
    """Requests collected since the start; the loop looks at them between optimizer steps.

    What this process heard counts once all ranks know of it, so that all do the same.
    """

    layout: RunLayout
    attempt: int
    parent: int  # process id of the supervisor; 0: there is none
    reads_commands: bool = True  # one rank reads them for all
    share: Callable[[Asked], list[Asked]] = _by_itself  # what all ranks heard
    hurry: bool = False  # leave right after the checkpoint
    training: bool = False  # before that, a stop needs no checkpoint
    building: bool = False  # this process makes a batch itself, and may drop it for a stop
    heard: Asked = field(default_factory=Asked)
    agreed: Asked = field(default_factory=Asked)
    pending: list[Command] = field(default_factory=list[Command])
    _tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self._tail = Tail(self.layout.commands)

    @property
    def stop(self) -> StopReason | None:
        """Why the run is to stop."""
        return self.agreed.stop

    @property
    def checkpoint(self) -> bool:
        """Whether a checkpoint is wanted now."""
        return self.agreed.checkpoint

    @property
    def evaluate(self) -> bool:
        """Whether a validation is wanted now."""
        return self.agreed.evaluate

    def install_signal_handlers(self) -> None:
        """Turn signals into requests; SIGINT is the supervisor's business."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGUSR1, self._on_sigusr1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self.hurry = self.heard.stop is not None
        self.heard.stop = self.heard.stop or "signal"
        if not self.training:
            raise StoppedBeforeTraining
        if self.building:
            self.building = False
            raise StopHeard

    def _on_sigusr1(self, _number: int, _frame: FrameType | None) -> None:
        self.heard.checkpoint = True

    def poll(self) -> None:
        """Read new commands, notice a dead supervisor, and settle with the other ranks."""
        self.listen()
        self.agreed = Asked.of_all(self.share(self.heard))

    def listen(self) -> None:
        """Read new commands and notice a dead supervisor, for this process alone."""
        for line in self._tail.read() if self.reads_commands else ():
            self._take(line)
        if self.parent and os.getppid() != self.parent and self.heard.stop is None:
            self.heard.stop = "orphan"

    def leave_waiting(self) -> None:
        """Look for a stop while data is waited for.

        Raises:
            StopHeard: This process heard of one; the others have to be told, then all leave.
            StoppedBeforeTraining: It did, and there is nothing to save.

        """
        self.listen()
        if self.heard.stop:
            raise StopHeard if self.training else StoppedBeforeTraining

    def begin_training(self) -> None:
        """From now on a stop is obeyed between steps.

        Raises:
            StoppedBeforeTraining: It was asked for already.

        """
        self.leave_if_stopped()
        self.training = True

    def leave_if_stopped(self) -> None:
        """Raise StoppedBeforeTraining when a stop was asked for."""
        self.poll()
        if self.stop:
            raise StoppedBeforeTraining

    def _take(self, line: bytes) -> None:
        """Take a command that is meant for this attempt; the supervisor refuses the others."""
        try:
            command = parse_command(line)
        except ValueError:
            return
        if command.attempt != self.attempt:
            return
        if command.command == "stop":
            self.hurry = self.hurry or self.heard.stop == "signal"  # it came later, and is read now
            self.heard.stop = self.heard.stop or "stop"
        elif command.command == "checkpoint":
            self.heard.checkpoint = True
        elif command.command == "evaluate":
            self.heard.evaluate = True
        else:
            return
        self.pending.append(command)

    def done(self, name: str, notify: Callable[[Command], object]) -> None:
        """Mark every pending command of that name as done, and say so."""
        for command in [command for command in self.pending if command.command == name]:
            notify(command)
            self.pending.remove(command)
        for asked in (self.heard, self.agreed):
            if name == "checkpoint":
                asked.checkpoint = False
            elif name == "evaluate":
                asked.evaluate = False
