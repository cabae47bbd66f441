"""Begin a run, or let it go on: check everything, start the supervisor, follow it."""

from collections.abc import Sequence
from pathlib import Path

from trainer.cli.follow import Follower, follow
from trainer.cli.launch import make_run, run_in_foreground, start_detached, write_config
from trainer.cli.lookup import find_run
from trainer.cli.manner import Manner
from trainer.cli.moved_data import moved_data
from trainer.cli.preflight import check_before_start
from trainer.cli.terminal import complain, say, show_json
from trainer.config.differences import resume_conflicts
from trainer.config.errors import ConfigError
from trainer.config.load import load_config
from trainer.run.layout import RunLayout, runs_directory
from trainer.run.liveness import run_status
from trainer.run.lock import RunIsHeld, RunLock, acquire_run_lock

LEAVING_SECONDS = 10.0  # for the supervisor of a run that has ended to be gone as well


def begin_run(source: str, overrides: Sequence[str], runs_dir: Path | None, manner: Manner) -> int:
    """Start a new run and return the exit code.

    Raises:
        ConfigError, ModelMissing, DataError, RunIsHeld, CommandFailed: Nothing was made.

    """
    config = load_config(source, overrides)
    if config.name is None:
        raise ConfigError([f"{source}:name: no name can be made of the file's; add --name"])
    layout = RunLayout(runs_directory(runs_dir) / config.name)
    check_before_start(config, layout)
    with acquire_run_lock(layout.root) as lock:
        make_run(layout, config)
        return go(layout, lock, manner)


def resume_run(run: str, overrides: Sequence[str], runs_dir: Path | None, manner: Manner) -> int:
    """Let a run go on, with changes that do not alter its numbers, and return the exit code.

    Raises:
        ConfigError, ModelMissing, DataError, RunIsHeld, CommandFailed: Nothing was changed.

    """
    layout = find_run(run, runs_dir)
    with _lock_to_resume(layout) as lock:
        before = load_config(layout.config, files_must_exist=False)
        config = load_config(layout.config, overrides)
        moved = moved_data(layout, before, config)
        conflicts = resume_conflicts(before, config, proven_equal=moved)
        if conflicts:
            raise ConfigError(conflicts)
        if run_status(layout).state == "finished" and config == before:
            say(f"{layout.name} is finished: {layout.final}; there is nothing to resume")
            return 0
        check_before_start(config, layout)
        if config != before:
            write_config(layout, config)
        return go(layout, lock, manner)


def _lock_to_resume(layout: RunLayout) -> RunLock:
    """Return the lock of a run, once the supervisor that told its end has left."""
    status = run_status(layout)
    if not status.over:
        return acquire_run_lock(layout.root)
    try:
        return acquire_run_lock(layout.root, LEAVING_SECONDS)
    except RunIsHeld as error:
        raise RunIsHeld(
            f"{error}; it is {status.state} already, so wait where its supervision.on_exit still "
            "runs, or end that process"
        ) from error


def go(layout: RunLayout, lock: RunLock, manner: Manner) -> int:
    """Start the supervisor of a run whose lock we hold, and follow it unless told otherwise."""
    copy_events = manner.events is not None
    if manner.foreground:
        return run_in_foreground(layout, lock, copy_events=copy_events)
    follower = Follower(layout, copy_events=copy_events)
    started = start_detached(layout, lock)
    if manner.detach:
        tell_where(layout, started.attempt, json=manner.json)
        return 0
    complain(f"{layout.root}: attempt {started.attempt}; Ctrl-C stops it with a checkpoint")
    return follow(follower, started.attempt)


def tell_where(layout: RunLayout, attempt: int, *, json: bool) -> None:
    """Name the run that was started."""
    if json:
        show_json({"name": layout.name, "path": str(layout.root), "attempt": attempt})
    else:
        say(f"{layout.root}: attempt {attempt} runs; `qvl status {layout.name}` shows how it is")
