"""What people and machines ask a running trainer to do: signals, commands, a lost parent."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

from trainer.run.commands import Command, parse_command
from trainer.run.layout import RunLayout
from trainer.run.tail import Tail

StopReason = Literal["stop", "signal", "orphan"]


class StoppedBeforeTraining(Exception):
    """A stop was asked for while there was nothing to save yet."""


@dataclass
class Requests:
    """Requests collected since the start; the loop looks at them between optimizer steps."""

    layout: RunLayout
    attempt: int
    parent: int  # process id of the supervisor; 0: there is none
    stop: StopReason | None = None
    hurry: bool = False  # leave right after the checkpoint
    checkpoint: bool = False
    evaluate: bool = False
    training: bool = False  # before that, a stop needs no checkpoint
    pending: list[Command] = field(default_factory=list[Command])
    _tail: Tail = field(init=False)

    def __post_init__(self) -> None:
        self._tail = Tail(self.layout.commands)

    def install_signal_handlers(self) -> None:
        """Turn signals into requests; SIGINT is the supervisor's business."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGUSR1, self._on_sigusr1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self.hurry = self.stop is not None
        self.stop = self.stop or "signal"
        if not self.training:
            raise StoppedBeforeTraining

    def _on_sigusr1(self, _number: int, _frame: FrameType | None) -> None:
        self.checkpoint = True

    def poll(self) -> None:
        """Read new commands and notice a dead supervisor."""
        for line in self._tail.read():
            self._take(line)
        if self.parent and os.getppid() != self.parent and self.stop is None:
            self.stop = "orphan"

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
            self.stop = self.stop or "stop"
        elif command.command == "checkpoint":
            self.checkpoint = True
        elif command.command == "evaluate":
            self.evaluate = True
        else:
            return
        self.pending.append(command)

    def done(self, name: str, notify: Callable[[Command], object]) -> None:
        """Mark every pending command of that name as done, and say so."""
        for command in [command for command in self.pending if command.command == name]:
            notify(command)
            self.pending.remove(command)
        if name == "checkpoint":
            self.checkpoint = False
        elif name == "evaluate":
            self.evaluate = False
