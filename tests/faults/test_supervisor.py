"""Faults 19 and 20: a supervisor that is killed, and two of them for one run."""

import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program
from trainer.run.events import (
    AttemptStarted,
    CheckpointPublished,
    RankStarted,
    Resumed,
    Step,
    SupervisorStarted,
)
from trainer.run.lock import is_locked
from trainer.run.manifest import verify_checkpoint


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    """A run that nobody waits to see the end of."""
    return make_program(
        "data.validation=[]",
        "data.workers=0",
        "model.dtype=fp32",
        "training.threads=1",
        "training.max_steps=100000",
        "checkpoint.every_steps=100000",
        "supervision.auto_resume=5",
    )


def test_fault_19_a_trainer_whose_supervisor_is_killed_keeps_the_lock_until_it_has_saved(
    program: Program,
):
    program.call(*program.train("--detach"))
    program.wait_for(lambda: len(program.events(Step)) >= 2)
    (supervisor,), (rank,) = program.events(SupervisorStarted), program.events(RankStarted)
    its_end = os.pidfd_open(supervisor.pid)
    os.kill(supervisor.pid, signal.SIGKILL)
    select.select([its_end], [], [], 60)
    # It shall not leave before the others look. Not earlier: a stopped group whose parent dies is
    # woken by the kernel.
    os.kill(rank.pid, signal.SIGSTOP)
    os.close(its_end)
    program.wait_for(lambda: not Path(f"/proc/{supervisor.pid}").exists())
    assert is_locked(program.layout.root)
    assert program.state() == "stopping"
    for command in (("resume", "real", "--detach"), program.train("--detach")):
        assert f"the run is held by process {rank.pid}, " in program.call(*command, code=1)

    os.kill(rank.pid, signal.SIGCONT)
    program.wait_for(lambda: not Path(f"/proc/{rank.pid}").exists())
    assert not is_locked(program.layout.root)
    (saved,) = program.events(CheckpointPublished)
    assert (saved.reason, saved.step) == ("orphan", program.events(Step)[-1].step)
    assert verify_checkpoint(program.layout.checkpoint(saved.step)).step == saved.step
    assert program.state() == "crashed"
    assert len(program.events(AttemptStarted)) == 1

    program.call("resume", "real", "--detach")
    program.wait_for(lambda: program.events(Step)[-1].attempt == 2)
    assert program.events(Resumed)[-1].step == saved.step
    steps = [it.step for it in program.events(Step)]
    assert steps == list(range(1, len(steps) + 1))  # none is missing, none was taken twice


def test_fault_20_of_starts_at_once_one_wins_and_the_others_say_who_holds_the_run(
    program: Program,
):
    for attempt, command in ((1, program.train("--detach")), (2, ("resume", "real", "--detach"))):
        starts = [program.start(*command) for _ in range(3)]
        told = [(it.communicate(timeout=120)[1].decode(), it.returncode) for it in starts]
        assert sorted(code for _, code in told) == [0, 1, 1], told
        (supervisor,) = [it for it in program.events(SupervisorStarted) if it.attempt == attempt]
        starter = starts[[code for _, code in told].index(0)]
        for words, code in told:
            holders = (f"held by process {it}" for it in (starter.pid, supervisor.pid))
            assert not code or any(it in words for it in holders), words
        program.wait_for(lambda: len(program.events(RankStarted)) == attempt)  # noqa: B023
        os.kill(supervisor.pid, signal.SIGKILL)
        os.kill(program.events(RankStarted)[-1].pid, signal.SIGKILL)
        program.wait_for(lambda: not is_locked(program.layout.root))
    assert [it.attempt for it in program.events(RankStarted)] == [1, 2]
