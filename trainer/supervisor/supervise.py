"""Keep a run going: attempt after attempt, until it ended or is not to be restarted."""

from collections.abc import Sequence
from dataclasses import replace
from signal import SIGINT, SIGTERM

from trainer.run.events import Exit
from trainer.run.layout import RunLayout
from trainer.run.lock import RunLock
from trainer.supervisor.on_exit import run_on_exit
from trainer.supervisor.python import rank_command
from trainer.supervisor.restart import Restarts, why_not_restart
from trainer.supervisor.supervised import SupervisedRun, supervised_run
from trainer.supervisor.watch import AttemptWatch


def supervise(
    layout: RunLayout,
    lock: RunLock,
    *,
    command: Sequence[str] | None = None,
    ranks: int | None = None,
) -> int:
    """Run a run to its end and return the exit code: 0, 3, 2 or 1.

    `command` starts a rank; by default our own. `ranks` None: as many as its configuration says.
    To be called from the main thread.
    """
    with supervised_run(layout, lock, command or rank_command(layout.root), ranks) as run:
        restarts = Restarts(allowed=run.config.auto_resume, used=0, last=None)
        while True:
            watch = AttemptWatch(run, run.next_attempt, restarts.used)
            end = watch.run()
            keep = why_not_restart(end, restarts, run.reached, stop_asked=watch.stop_asked)
            watch.note(replace(end, will_restart=not keep))
            if keep:
                run.report(f"{end.state}: {end.message or 'all is well'}; no restart: {keep}")
                _after(run, watch, end)
                return end.code
            watch.close()
            run.report(f"{end.state}: {end.message}; restarting from the newest checkpoint")
            run.next_attempt += 1
            restarts = replace(restarts, used=restarts.used + 1, last=run.reached)


def _after(run: SupervisedRun, watch: AttemptWatch, end: Exit) -> None:
    if run.config.on_exit:
        done = run_on_exit(
            run.config.on_exit,
            run.layout,
            end,
            interrupted=lambda: bool({SIGTERM, SIGINT} & set(run.signals.take())),
        )
        watch.note(done)
    watch.close()
