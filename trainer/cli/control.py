"""Ask a run that lives for something: stop, checkpoint, evaluate."""

import os
import signal
import time
from dataclasses import dataclass

from trainer.cli.terminal import CommandFailed
from trainer.run.commands import Command, send_command
from trainer.run.events import CommandName
from trainer.run.layout import RunLayout
from trainer.run.liveness import Status, holder, judge, quick_state, run_status
from trainer.run.owner import is_local, owner_is_alive, read_owner
from trainer.run.state import RunState

ANSWER_SECONDS = 15.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a command so far."""

    command: Command
    accepted: bool
    done: bool
    step: int | None
    state: str
    message: str

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object."""
        return {
            "id": self.command.id,
            "command": self.command.command,
            "attempt": self.command.attempt,
            "accepted": self.accepted,
            "done": self.done,
            "step": self.step,
            "state": self.state,
            "message": self.message,
        }


def live_attempt(layout: RunLayout) -> int:
    """Return the attempt that runs now.

    Raises:
        CommandFailed: The run does not live.

    """
    status = run_status(layout)
    if not status.held:
        reason = f" ({status.message})" if status.message else ""
        remedy = "" if status.state == "finished" else f"; `qvl resume {layout.name}` lets it go on"
        raise CommandFailed(f"{layout.name} does not run: it is {status.state}{reason}{remedy}")
    alive = status.owner is not None and owner_is_alive(status.owner) is True
    return max(status.attempt, status.owner.attempt if status.owner and alive else 0)


def ask(layout: RunLayout, name: CommandName, *, wait: bool) -> Answer:
    """Send a command and return once it is acknowledged; with `wait`, once it took effect.

    Raises:
        CommandFailed: The run does not live, refused, did not answer, or ended before it did it.

    """
    return await_answer(layout, send_command(layout, live_attempt(layout), name), wait=wait)


def await_answer(layout: RunLayout, command: Command, *, wait: bool) -> Answer:
    """Return what becomes of a command that was sent, as `ask` does."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        state = quick_state(layout)
        status = judge(layout.name, state, holder(layout))
        answer = _answer(command, state, status)
        if answer.done or (answer.accepted and not wait):
            return answer
        _refuse_what_will_not_come(layout, answer, status, deadline)
        time.sleep(LOOK_SECONDS)


def _answer(command: Command, state: RunState, status: Status) -> Answer:
    progress = state.current.commands.get(command.id)
    received = progress.received if progress else None
    done = progress.done if progress else None
    return Answer(
        command=command,
        accepted=received is not None and received.accepted,
        done=status.over if command.command == "stop" else done is not None,
        step=done.step if done else state.step,
        state=status.state,
        message=received.reason if received else "",
    )


def _refuse_what_will_not_come(
    layout: RunLayout, answer: Answer, status: Status, deadline: float
) -> None:
    name = answer.command.command
    if answer.message:
        raise CommandFailed(f"{layout.name} refused {name}: {answer.message}; try again")
    if not status.held:
        raise CommandFailed(f"{layout.name} {status.state} before it could {name}")
    if not answer.accepted and time.monotonic() > deadline:
        raise CommandFailed(
            f"{layout.name} did not answer within {ANSWER_SECONDS:.0f} s: it is {status.state} "
            f"({status.message or 'no reason known'}); see `qvl logs {layout.name}`"
        )


def hurry_supervisor(layout: RunLayout) -> bool:
    """Send SIGTERM to the supervisor: a stop, and while it stops: now; return whether it lives.

    Only where its process id means something: on this host, with the start time it had.
    """
    owner = read_owner(layout)
    if owner is None or not is_local(owner) or owner_is_alive(owner) is not True:
        return False
    try:
        os.kill(owner.pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True
