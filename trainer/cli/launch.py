"""Make a run directory, whole or not at all, and start its supervisor."""

import os
import shutil
import threading

from trainer.cli.follow import Follower
from trainer.cli.terminal import CommandFailed, complain
from trainer.config.load import dump_config
from trainer.config.schema import RunConfig
from trainer.run.durable import rename, replace_file
from trainer.run.layout import RunLayout
from trainer.run.liveness import run_status
from trainer.run.lock import RunLock
from trainer.supervisor.start import StartedRun, StartError, start_run
from trainer.supervisor.supervise import supervise

LAST_LINES_SECONDS = 3.0


def make_run(layout: RunLayout, config: RunConfig) -> None:
    """Make the directory of a new run under its lock; it appears complete.

    Raises:
        CommandFailed: There is one already, or it cannot be made.

    """
    if layout.root.exists():
        raise CommandFailed(_already_there(layout))
    temporary = layout.root.with_name(f".{layout.name}.tmp-{os.getpid()}")
    try:
        layout.root.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(layout)
        temporary.mkdir(mode=0o700)
        write_config(RunLayout(temporary), config)
        rename(temporary, layout.root)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CommandFailed(
            f"{layout.root}: {error.strerror}; make room, or choose another folder with --runs-dir"
        ) from error


def write_config(layout: RunLayout, config: RunConfig) -> None:
    """Write the resolved configuration, complete or not at all."""
    replace_file(layout.config, dump_config(config).encode())


def _remove_left_overs(layout: RunLayout) -> None:
    for stale in layout.root.parent.glob(f".{layout.name}.tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)


def _already_there(layout: RunLayout) -> str:
    if not layout.config.exists():
        return f"{layout.root}: there is something else by that name; give the run another --name"
    state = run_status(layout).state
    go_on = "" if state == "finished" else f"`qvl resume {layout.name}` lets it go on, "
    return f"{layout.root}: there is such a run already ({state}); {go_on}--name makes another"


def start_detached(layout: RunLayout, lock: RunLock) -> StartedRun:
    """Start the run's supervisor; raises CommandFailed."""
    try:
        started = start_run(layout, lock)
    except StartError as error:
        raise CommandFailed(str(error)) from error
    if started.logout.remedy:
        complain(f"note: {started.logout.reason}; {started.logout.remedy}")
    return started


def run_in_foreground(layout: RunLayout, lock: RunLock, *, copy_events: bool) -> int:
    """Supervise in this process; a thread shows the progress, as a follower would."""
    follower = Follower(layout, copy_events=copy_events)
    shown = threading.Thread(target=follower.follow, args=(follower.next_attempt,), daemon=True)
    shown.start()
    code = supervise(layout, lock)
    shown.join(timeout=LAST_LINES_SECONDS)
    return code
