"""Whether a run lives, in which state it is, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from trainer.run.attempt import Attempt
from trainer.run.blocks import decode_lines
from trainer.run.event import EndState
from trainer.run.layout import RunLayout
from trainer.run.lock import is_locked
from trainer.run.owner import Owner, is_local, owner_is_alive, read_owner
from trainer.run.reader import RunReader, apply_decoded
from trainer.run.regular import file_size
from trainer.run.state import RunState, RunStateName
from trainer.run.tail import Tail

HEAD_BYTES = 64 * 2**10  # holds the first attempt's start and the plan
TAIL_BYTES = 256 * 2**10  # some hundred steps
TELEMETRY_BYTES = 16 * 2**10  # the newest samples
STARTED = b'"type":"supervisor_started"'
ENDS: tuple[RunStateName, ...] = get_args(EndState)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a run."""

    locked: bool  # by a process on this host
    owner: Owner | None
    owner_alive: bool | None  # None: cannot tell

    @property
    def held(self) -> bool:
        """Whether the run lives, here or on another host."""
        elsewhere = self.owner is not None and not is_local(self.owner)
        return self.locked or (elsewhere and self.owner_alive is True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """The state of a run in one word and in one sentence."""

    state: RunStateName
    since: float  # Unix seconds; 0: unknown
    message: str  # why, and what to do; empty where the word says it all
    attempt: int
    owner: Owner | None
    held: bool  # whether a process of it lives

    @property
    def over(self) -> bool:
        """Whether it has ended, also where its supervisor still tidies up and holds it."""
        return not self.held or self.state in ENDS


def run_status(layout: RunLayout) -> Status:
    """Return the run's status from the lock, the owner and the ends of its files."""
    return judge(layout.name, quick_state(layout), holder(layout))


def holder(layout: RunLayout) -> Holder:
    """Return who holds the run now."""
    locked = is_locked(layout.root)
    try:
        owner = read_owner(layout)
    except OSError:  # the lock still says whether it lives here
        owner = None
    return Holder(locked=locked, owner=owner, owner_alive=owner_is_alive(owner) if owner else False)


def judge(name: str, state: RunState, who: Holder) -> Status:
    """Return the status of the run `name` for a state that was read and its holder."""
    if state.current.exit and not _is_next_attempt(state, who):
        word, since, message = _recorded_end(name, state.current, who.held)
    elif who.held:
        word, since, message = _live_state(state, who)
    else:
        word, since, message = _silent_end(name, state)
    return Status(
        state=word,
        since=since,
        message=message,
        attempt=state.attempt,
        owner=who.owner,
        held=who.held,
    )


def load_state(layout: RunLayout) -> RunState:
    """Return the state from all of events.jsonl and monitor.jsonl and the newest telemetry."""
    reader = RunReader(layout, telemetry_bytes=TELEMETRY_BYTES)
    dead = not holder(layout).held
    while not reader.caught_up:
        reader.apply(reader.read(complete=dead))
    return reader.state


def quick_state(layout: RunLayout) -> RunState:
    """Return the state from both ends of events.jsonl, in a few milliseconds for any length.

    Where the middle of a long file was left out, `partial` is set; evaluations, checkpoints and
    skipped records told there are missing.
    """
    state, dead = RunState(), not holder(layout).held
    trainer = Tail(layout.events)
    if file_size(layout.events) > HEAD_BYTES + TAIL_BYTES:
        state.partial = True
        apply_decoded(state, decode_lines(trainer.read(max_bytes=HEAD_BYTES)))
        trainer = _last_bytes(layout.events, TAIL_BYTES)
    for tail in (
        trainer,
        _newest_attempt(layout.monitor),
        _last_bytes(layout.telemetry, TELEMETRY_BYTES),
    ):
        _feed(state, tail, complete=dead)
    return state


def _feed(state: RunState, tail: Tail, *, complete: bool) -> None:
    """Apply every event up to the file's end, a torn one too if asked; add up what was none."""
    while True:
        apply_decoded(state, decode_lines(tail.read(complete=complete)))
        if tail.at_end:
            break
    state.broken_lines += tail.long_lines


def _newest_attempt(path: Path) -> Tail:
    """Return the last bytes of monitor.jsonl, or all of it where they lack an attempt's start."""
    start = max(file_size(path) - TAIL_BYTES, 0)
    if start and not any(STARTED in line for line in Tail(path, start=start).read()):
        start = 0
    return Tail(path, start=start)


def _last_bytes(path: Path, count: int) -> Tail:
    return Tail(path, start=max(file_size(path) - count, 0))


def _is_next_attempt(state: RunState, who: Holder) -> bool:
    """Return whether an attempt lives that has not written a line yet."""
    newer = who.owner is not None and who.owner.attempt > state.attempt
    return who.held and newer and who.owner_alive is True


def _recorded_end(name: str, attempt: Attempt, held: bool) -> tuple[RunStateName, float, str]:
    end = attempt.exit
    assert end is not None
    if end.will_restart and held:
        return "starting", end.time, f"restarts by itself: {end.message}"
    message = end.message
    if end.state in ("failed", "crashed"):
        message = f"{message or 'no reason was recorded'}; qvl resume {name}"
    return end.state, end.time, message


def _live_state(state: RunState, who: Holder) -> tuple[RunStateName, float, str]:
    attempt = state.current
    since = attempt.supervisor.time if attempt.supervisor else 0.0
    if _is_next_attempt(state, who) or attempt.supervisor is None:
        return "starting", who.owner.started_unix_seconds if who.owner else 0.0, ""
    if attempt.stop:
        return "stopping", attempt.stop.time, attempt.stop.reason
    if who.locked and who.owner and is_local(who.owner) and who.owner_alive is False:
        return "stopping", since, "the supervisor is gone; the trainer saves and leaves"
    if attempt.stalled:
        return "stalled", attempt.stalled.time, _stall_message(attempt)
    if not attempt.trained:
        return "starting", since, _phase_message(attempt)
    return "running", since, _phase_message(attempt)


def _stall_message(attempt: Attempt) -> str:
    stalled = attempt.stalled
    assert stalled is not None
    return (
        f"no progress for {stalled.silent_seconds:.0f} s (limit {stalled.limit_seconds:.0f} s); "
        "the stack of every thread is in console.log"
    )


def _phase_message(attempt: Attempt) -> str:
    return attempt.phase.name if attempt.phase and attempt.phase.name != "train" else ""


def _silent_end(name: str, state: RunState) -> tuple[RunStateName, float, str]:
    """Return how an attempt ended that left no exit record."""
    remedy = f"qvl resume {name}"
    if state.attempt == 0:
        return "crashed", 0.0, f"it was never started; {remedy}"
    last_word = state.current.trainer_ended
    if last_word is None:
        message = f"it was killed, or its machine was lost, at step {state.step}; {remedy}"
        return "crashed", state.last_time, message
    if last_word.state == "finished":
        return "finished", last_word.time, "its supervisor was killed before the exit record"
    message = (
        f"its supervisor was killed; the trainer {last_word.state} at step {last_word.step}; "
        f"{remedy}"
    )
    return "crashed", last_word.time, message
