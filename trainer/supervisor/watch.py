"""Watch one attempt at a run, from the start of its ranks to their end."""

import os
import time
from signal import SIGINT, SIGKILL, SIGTERM, SIGUSR1, Signals

from trainer.run.alerts import evaluate_rules
from trainer.run.commands import send_command
from trainer.run.events import (
    CommandName,
    Exit,
    MonitorEvent,
    OnExitDone,
    RankStarted,
    Stalled,
    StopRung,
    SupervisorStarted,
)
from trainer.run.owner import beat, this_process, write_owner
from trainer.supervisor.console import last_words, rotate_console
from trainer.supervisor.journal import Journal
from trainer.supervisor.ladder import Rung, StopLadder, default_stop_timeout
from trainer.supervisor.oom import oom_kills
from trainer.supervisor.ranks import Ranks, RankStartError
from trainer.supervisor.stall import StallWatch, silence_limit
from trainer.supervisor.supervised import SupervisedRun
from trainer.supervisor.telemetry import Sampler
from trainer.supervisor.verdict import FAILED, STOPPED, Circumstances, judge, signal_name

TICK_SECONDS = 0.1
JUDGE_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
TELEMETRY_FILE_BYTES = 64 * 2**20
CONSOLE_FILE_BYTES = 64 * 2**20
MONITOR_FILE_BYTES = 16 * 2**20
MONITOR_MOVE_SECONDS = 60.0  # between looks; a starter waits so long for the first line it reads
LAST_EVENTS_SECONDS = 10.0  # how long a full disk may hold up the exit record


class AttemptWatch:
    """One attempt: its ranks, its journals, and what was asked of it."""

    def __init__(self, run: SupervisedRun, attempt: int, restart: int) -> None:
        layout = run.layout
        self._run = run
        self._attempt = attempt
        self._restart = restart
        self._monitor = Journal(layout.monitor, attempt, run.report)
        self._telemetry = Journal(
            layout.telemetry,
            attempt,
            run.report,
            kept_events=60,
            rotate_bytes=TELEMETRY_FILE_BYTES,
        )
        self._ranks = Ranks(run.lock.fd)
        self._ladder = StopLadder(run.config.kill_timeout_seconds)
        self._sampler = Sampler(layout.root, run.config.telemetry_seconds, lambda: self._ranks.pids)
        self._stall = StallWatch(time.monotonic())
        self._owner = this_process(attempt)
        self._console_start = os.fstat(run.console).st_size
        self._oom_kills = oom_kills()
        self._alone: tuple[float, str] | None = None  # when and why the rest is told to leave
        self._next_judgement = 0.0
        self._next_beat = 0.0
        self._next_move = time.monotonic() + MONITOR_MOVE_SECONDS
        self.stop_asked = False

    # --- from start to end --------------------------------------------------------------------

    def run(self) -> Exit:
        """Start the ranks, watch them until the last one ended, and return how it went."""
        self._beat(time.monotonic())
        self._write(
            SupervisorStarted(
                pid=self._owner.pid,
                host=self._owner.host,
                boot_id=self._owner.boot_id,
                ranks=self._run.ranks,
                restart=self._restart,
            )
        )
        self._sampler.start()
        try:
            self._start_ranks()
            while self._ranks.alive:
                self._run.signals.wait(TICK_SECONDS)
                self._tick(time.monotonic())
        except RankStartError as error:
            self._ranks.kill()
            return Exit(state="failed", code=FAILED, step=self._run.state.step, message=str(error))
        finally:
            self._sampler.stop()
        return self._verdict()

    def _start_ranks(self) -> None:
        run = self._run
        self._ranks.start(run.command, run.ranks, self._attempt, run.console, run.layout.root)
        for rank, pid in enumerate(self._ranks.pids):
            self._write(RankStarted(rank=rank, pid=pid))

    def note(self, event: Exit | OnExitDone) -> None:
        """Write the exit record, or what comes after it."""
        self._write(event)

    def close(self) -> None:
        """Close the files, once nothing more is to be said about this attempt."""
        self._telemetry.close()
        self._monitor.close(LAST_EVENTS_SECONDS)

    # --- what a tick looks at -----------------------------------------------------------------

    def _tick(self, now: float) -> None:
        self._take_commands(now)  # before the signals: a hurried stop follows its command
        self._take_signals(now)
        if self._run.read_events():
            self._stall.sign_of_life(now)
        self._take_telemetry()
        self._reap(now)
        self._climbed(self._ladder.advance(now), now)
        if now >= self._next_judgement:
            self._next_judgement = now + JUDGE_SECONDS
            self._judge(now)
        if now >= self._next_beat:
            self._beat(now)

    def _take_commands(self, now: float) -> None:
        for answer in self._run.inbox.read(self._attempt):
            self._write(answer)
            if answer.accepted and answer.command == "stop":
                self._ask_to_stop(now, "a person asked for it")

    def _take_signals(self, now: float) -> None:
        for number in self._run.signals.take():
            if number == SIGUSR1:
                self._send("checkpoint")
            elif number in (SIGTERM, SIGINT):
                self._stop_by_signal(now, number)

    def _stop_by_signal(self, now: float, number: Signals) -> None:
        """Take the first signal for a stop, a later one for impatience."""
        if self.stop_asked:
            self._climbed(self._ladder.hurry(now, f"{number.name} to the supervisor again"), now)
            return
        sent = self._send("stop")
        self._ask_to_stop(now, f"{number.name} to the supervisor")
        if not sent:
            reason = "the command could not be written, so a signal says it"
            self._climbed(self._ladder.hurry(now, reason), now)

    def _ask_to_stop(self, now: float, reason: str) -> None:
        run = self._run
        self.stop_asked = True
        seconds = run.config.stop_timeout_seconds or default_stop_timeout(
            run.state.median_step_seconds, run.state.last_save_seconds
        )
        self._climbed(self._ladder.ask(now, reason, seconds), now)

    def _send(self, name: CommandName) -> bool:
        """Append a command as a person would; return whether it could be written."""
        try:
            send_command(self._run.layout, self._attempt, name)
        except OSError as error:
            self._run.report(f"the command {name} could not be written: {error}")
            return False
        return True

    def _climbed(self, rung: Rung | None, now: float) -> None:
        """Do what a rung of the stop ladder stands for, and say so."""
        if rung is None:
            return
        left = self._ladder.seconds_left(now)
        self._write(StopRung(rung=rung, reason=self._ladder.reason, next_seconds=left))
        if rung == "sigterm":
            self._ranks.send(SIGTERM)
        elif rung == "sigkill":
            self._ranks.send(SIGKILL)

    def _take_telemetry(self) -> None:
        for sample in self._sampler.take():
            self._run.state.apply(self._telemetry.write(sample))

    def _reap(self, now: float) -> None:
        """Once a rank ended, the others cannot go on; those that failed leave no time to save."""
        for rank in self._ranks.reap():
            code = dict(self._ranks.codes())[rank]
            reason = f"rank {rank} ended with {code if code >= 0 else signal_name(-code)}"
            if code in (0, STOPPED):
                patience = self._run.config.kill_timeout_seconds
                self._alone = self._alone or (now + patience, reason)
            elif self._ranks.alive and self._ladder.rung != "sigterm":
                self._climbed(self._ladder.hurry(now, reason), now)
        if self._alone and now >= self._alone[0] and self._ranks.alive:
            self._climbed(self._ladder.hurry(now, self._alone[1]), now)
            self._alone = None

    def _judge(self, now: float) -> None:
        run, phase = self._run, self._run.state.phase
        limit = silence_limit(
            phase.name if phase else None,
            run.config.stall_timeout_seconds,
            run.state.median_step_seconds,
            run.state.last_save_seconds,
        )
        if self._stall.changed(now, limit):
            self._say_stalled(self._stall.silent_seconds(now), limit)
        for alert in evaluate_rules(run.state, run.alert_memory, now):
            self._write(alert)
        self._monitor.flush()
        self._rotate_console()
        if now >= self._next_move:
            self._next_move = now + MONITOR_MOVE_SECONDS
            self._move_monitor()

    def _move_monitor(self) -> None:
        layout = self._run.layout
        try:
            if self._monitor.move_aside(layout.monitor_before, MONITOR_FILE_BYTES):
                self._run.report(f"what came before is in {layout.monitor_before.name}")
        except OSError as error:
            self._run.report(f"{layout.monitor.name} could not be moved aside: {error}")

    def _rotate_console(self) -> None:
        console = self._run.layout.console
        try:
            if rotate_console(self._run.console, console, CONSOLE_FILE_BYTES):
                self._console_start = 0
                self._run.report(f"what came before is in {console.name}.1")
        except OSError as error:
            self._run.report(f"{console.name} could not be moved aside: {error}")

    def _say_stalled(self, silent_seconds: float, limit_seconds: float) -> None:
        stalled = self._stall.stalled
        self._write(
            Stalled(stalled=stalled, silent_seconds=silent_seconds, limit_seconds=limit_seconds)
        )
        if stalled:
            asked = self._ranks.ask_for_stacks()
            self._run.report(f"no progress for {silent_seconds:.0f} s; stacks of ranks {asked}:")

    def _beat(self, now: float) -> None:
        self._next_beat = now + HEARTBEAT_SECONDS
        self._owner = beat(self._owner)
        try:
            write_owner(self._run.layout, self._owner)
            self._run.lock.touch()
        except OSError as error:
            self._run.report(f"no heartbeat: {error}")

    # --- the end ------------------------------------------------------------------------------

    def _verdict(self) -> Exit:
        run = self._run
        run.read_events(complete=True)
        self._take_commands(time.monotonic())
        self._take_signals(time.monotonic())
        current = run.state.current
        known = Circumstances(
            step=run.state.step,
            trainer_said=current.trainer_ended.message if current.trainer_ended else "",
            console_said=last_words(run.layout.console, self._console_start),
            trained=current.trained,
            forced=self._ladder.rung if self.stop_asked else None,
            used_up=oom_kills().since(self._oom_kills),
        )
        return judge(self._ranks.codes(), known)

    def _write(self, event: MonitorEvent) -> None:
        self._run.state.apply(self._monitor.write(event))
