"""Name how an attempt ended, from the return codes of its ranks."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.run.events import EndState, Exit
from trainer.supervisor.ladder import Rung

FINISHED, FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 3
OTHERS_LOST = 4  # of a rank that another one left alone

UNKNOWN_KILLER = (
    "if nobody did that, the machine ran out of memory: see `dmesg`, lower data.prefetch_bytes or "
    "data.workers"
)

_STATES: dict[int, EndState] = {FINISHED: "finished", STOPPED: "stopped"}


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is known of an attempt besides its return codes."""

    step: int
    trainer_said: str  # its own last word
    console_said: str  # the last line of console.log, which stands in for it
    trained: bool  # whether it got as far as training
    forced: Rung | None  # how far a stop that was asked for had to go
    used_up: str = ""  # what memory the kernel killed processes for meanwhile


def judge(codes: Sequence[tuple[int, int]], known: Circumstances) -> Exit:
    """Return the exit record of an attempt.

    `codes` are (rank, return code) in the order in which the ranks ended; the first bad end is
    the cause, what follows it is only its consequence. Several that ended between two looks come
    in the order of their numbers, so a rank that says it was left alone is never the cause.
    """
    bad = [it for it in codes if it[1] not in _STATES]
    rank, code = next((it for it in bad if it[1] != OTHERS_LOST), (bad or codes)[0])
    if code < 0:
        return _killed(signal_name(-code), known)
    if code in _STATES:
        return Exit(state=_STATES[code], code=code, step=known.step, message=known.trainer_said)
    message = known.trainer_said or known.console_said
    message = message or "the trainer left without a word; see console.log"
    if known.used_up and signal.SIGKILL.name in message:  # of a data worker
        message = f"{message}; {_short_of(known.used_up)}"
    if len(codes) > 1:
        message = f"rank {rank}: {message}"
    kept = BAD_INPUT if code == BAD_INPUT else FAILED
    return Exit(state="failed", code=kept, step=known.step, message=message)


def signal_name(number: int) -> str:
    """Return a signal's name, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _short_of(what: str) -> str:
    return f"the kernel did it because {what} was used up: lower data.workers, data.prefetch_bytes"


def _killed(name: str, known: Circumstances) -> Exit:
    if name == "SIGTERM" and known.forced == "sigterm" and not known.trained:
        message = "stopped before training began; nothing of this attempt is lost"
        return Exit(state="stopped", code=STOPPED, signal=name, step=known.step, message=message)
    if known.forced in ("sigterm", "sigkill"):
        message = f"the stop took too long, so the trainer was ended by {name}"
    elif name == "SIGKILL":
        why = _short_of(known.used_up) if known.used_up else UNKNOWN_KILLER
        message = f"the trainer was killed by SIGKILL; {why}"
    else:
        message = f"the trainer was killed by {name}; console.log may say where"
    return Exit(state="crashed", code=FAILED, signal=name, step=known.step, message=message)
