"""Follow a run from a terminal: its files are read, its output is shown, signals are passed on."""

import os
import shutil
import signal
import time
from types import FrameType

from trainer.cli.control import hurry_supervisor
from trainer.cli.terminal import STDERR, STDOUT, fit_line, write_all
from trainer.run.commands import send_command
from trainer.run.events import AnyEvent, CommandName, CommandReceived, RecordSkipped
from trainer.run.layout import RunLayout
from trainer.run.liveness import Status, holder, judge
from trainer.run.reader import RunReader
from trainer.run.tail import Tail
from trainer.run.text import sanitise
from trainer.words.lines import line_of, progress_line
from trainer.words.transfer import copy_home

REFRESH_SECONDS = 0.25
LIVENESS_SECONDS = 1.0
PLAIN_SECONDS = 10.0  # between progress lines where they cannot be rewritten in place
SHOWN_SKIPPED = 3


class Follower:
    """Shows one run on a terminal until it ends. Nothing it does can hurt the run."""

    def __init__(self, layout: RunLayout, *, copy_events: bool) -> None:
        """Begin with what the run writes from now on; its past is read but not shown."""
        self._layout = layout
        self._reader = RunReader(layout)
        self._copied = Tail(layout.events) if copy_events else None
        self._copy = copy_events
        self._rewrite = os.isatty(STDERR)
        self._shown = ""  # the progress line that is on the terminal
        self._stderr_is_read = True
        self._next_plain = 0.0
        self._next_liveness = 0.0
        self._interruptions = 0
        self._said: list[str] = []  # by signal handlers, which must not write in between
        self._stop_id = ""
        self._skipped_shown = 0
        self._read(quietly=True)
        if self._copied:
            self._read_copied(write=False)

    @property
    def next_attempt(self) -> int:
        """The attempt after those that the files told of at the beginning."""
        return self._reader.state.attempt + 1

    # --- the loop -----------------------------------------------------------------------------

    def follow(self, attempt: int) -> int:
        """Show the run until `attempt`, or the one it was restarted as, ended; return its code."""
        while True:
            self._read()
            end = self._ended(attempt)
            if end is not None:
                return end
            time.sleep(REFRESH_SECONDS)

    def _ended(self, attempt: int) -> int | None:
        current = self._reader.state.current
        if current.exit and not current.exit.will_restart and self._reader.state.attempt >= attempt:
            self._say_where_the_result_is()
            return current.exit.code
        now = time.monotonic()
        if now >= self._next_liveness:
            self._next_liveness = now + LIVENESS_SECONDS
            status = judge(self._layout.name, self._reader.state, holder(self._layout))
            self._show_progress(status, now)
            if not status.held:
                return self._lost()
        return None

    def _say_where_the_result_is(self) -> None:
        packed = self._layout.root / "final.zip"
        if self._reader.state.final and packed.exists():
            self._line(f"copy the result home: {copy_home(packed)}")

    def _lost(self) -> int:
        """Return the code of a run that is gone; it may have ended since we last read."""
        self._read(complete=True)
        end = self._reader.state.current.exit
        if end and not end.will_restart:
            return end.code
        status = judge(self._layout.name, self._reader.state, holder(self._layout))
        self._line(f"{status.state}: {status.message}")
        return 0 if status.state == "finished" else 1

    def _read(self, *, quietly: bool = False, complete: bool = False) -> None:
        while True:
            events = self._reader.apply(self._reader.read(complete=complete))
            for event in () if quietly else events:
                self._show(event)
            if self._reader.caught_up:
                break
        if self._copied and not quietly:
            self._read_copied(write=True, complete=complete)
        for text in self._said:
            self._line(text)
        self._said.clear()

    def _read_copied(self, *, write: bool, complete: bool = False) -> None:
        """Copy events to standard output; a reader that left ends only the copying."""
        while self._copied:
            lines = self._copied.read(complete=complete)
            shown = [fit_line(it) for it in lines] if os.isatty(STDOUT) else lines
            if write and shown and not write_all(STDOUT, b"\n".join(shown) + b"\n"):
                self._copied = None
                return
            if self._copied.at_end:
                return

    # --- what is shown ------------------------------------------------------------------------

    def _show(self, event: AnyEvent) -> None:
        if isinstance(event, CommandReceived):
            self._send_again_if_refused(event)
        if isinstance(event, RecordSkipped):
            self._skipped_shown += 1
            if self._skipped_shown > SHOWN_SKIPPED:
                return
        text = line_of(event)
        if text:
            self._line(text)
        if isinstance(event, RecordSkipped) and self._skipped_shown == SHOWN_SKIPPED:
            self._line("  further skipped records are counted; events.jsonl names them all")

    def _line(self, text: str) -> None:
        clear = "\r\x1b[K" if self._shown else ""
        self._shown = ""
        self._write(f"{clear}{sanitise(text, None)}\n")

    def _show_progress(self, status: Status, now: float) -> None:
        text = sanitise(progress_line(self._layout.name, self._reader.state, status), None)
        if self._rewrite:
            text = text[: shutil.get_terminal_size().columns - 1]
            if text != self._shown:
                self._write(f"\r\x1b[K{text}")
                self._shown = text
        elif now >= self._next_plain:
            self._next_plain = now + PLAIN_SECONDS
            self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        if self._stderr_is_read:
            self._stderr_is_read = write_all(STDERR, text.encode())

    # --- signals ------------------------------------------------------------------------------

    def pass_signals_on(self) -> None:
        """Turn signals to this process into requests to the run; SIGHUP ends only this process.

        The handlers act at once, because the loop may be held up by a terminal that is frozen.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)
        signal.signal(signal.SIGUSR1, self._asked_for_checkpoint)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._interruptions += 1
        if self._interruptions == 1:
            self._send("stop")
            self._said.append(
                "stopping: finishing the step and writing a checkpoint; Ctrl-C again to stop now"
            )
            return
        told = hurry_supervisor(self._layout)
        last = self._interruptions > 2
        what = "killing the trainer" if last else "stopping now; Ctrl-C again to kill the trainer"
        self._said.append(what if told else "the supervisor is gone; the trainer saves and leaves")

    def _asked_for_checkpoint(self, _number: int, _frame: FrameType | None) -> None:
        self._send("checkpoint")

    def _send(self, name: CommandName) -> None:
        try:
            command = send_command(self._layout, self._reader.state.attempt, name)
        except OSError as error:
            self._said.append(f"{name} could not be asked for: {error}")
            hurry_supervisor(self._layout)
            return
        if name == "stop":
            self._stop_id = command.id

    def _send_again_if_refused(self, answer: CommandReceived) -> None:
        """Repeat a stop that came just as the run was restarted as another attempt."""
        if answer.id == self._stop_id and not answer.accepted:
            self._send("stop")


def follow(follower: Follower, attempt: int) -> int:
    """Follow a run from the main thread, signals included, and return the exit code."""
    follower.pass_signals_on()
    return follower.follow(attempt)
