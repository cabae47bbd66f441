"""Fault 17: a data worker that is killed, or that hangs."""

import os
import signal
from collections.abc import Callable, Mapping

import psutil
import pytest

from tests.program import Program
from tests.trainer_processes import Run
from trainer.run.events import Exit, RankStarted, Resumed, Step
from trainer.run.layout import RunLayout

STEPS = 24


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    """A run with two data workers that is restarted by itself."""
    return make_program(
        "data.validation=[]",
        "data.workers=2",
        "data.worker_timeout_seconds=3",
        "model.dtype=fp32",
        "model.vision_cache=off",
        "tune.dropout=0.1",
        "training.threads=1",
        f"training.max_steps={STEPS}",
        "checkpoint.every_steps=3",
        "supervision.auto_resume=3",
    )


def worker_of(program: Program, attempt: int) -> psutil.Process:
    """Return a data worker of an attempt that builds batches."""
    (rank,) = [it for it in program.events(RankStarted) if it.attempt == attempt]
    children = psutil.Process(rank.pid).children()
    return next(it for it in children if "spawn_main" in " ".join(it.cmdline()))


def steps_of(program: Program, attempt: int) -> list[int]:
    return [it.step for it in program.events(Step) if it.attempt == attempt]


def test_fault_17_a_killed_and_a_hung_worker_are_named_and_the_run_goes_on_by_itself(
    program: Program,
):
    follower = program.start(*program.train())
    program.wait_for(lambda: len(steps_of(program, 1)) >= 4)
    killed = worker_of(program, 1)
    os.kill(killed.pid, signal.SIGKILL)
    program.wait_for(lambda: len(steps_of(program, 2)) >= 4)
    hung = worker_of(program, 2)
    os.kill(hung.pid, signal.SIGSTOP)
    _out, err = follower.communicate(timeout=300)
    assert follower.returncode == 0, err.decode()

    ends = program.events(Exit)
    assert [(it.state, it.will_restart) for it in ends] == [
        ("failed", True),
        ("failed", True),
        ("finished", False),
    ]
    assert f"(pid {killed.pid}) was killed by SIGKILL" in ends[0].message
    assert f"(pid {hung.pid}) " in ends[1].message
    assert "answer for 3 s" in ends[1].message  # none, or one that it stopped in the middle of
    assert all("train.jsonl:" in it.message for it in ends[:2])  # the records it was at
    assert not killed.is_running()
    assert not hung.is_running()
    assert all(it.step >= 3 for it in program.events(Resumed))

    whole = Run(
        RunLayout(program.folder / "whole"), str(program.layout.config), ("data.workers=0",)
    )
    whole.layout.root.mkdir()
    whole.configure()
    whole.finish()
    assert numbers_of(program.events(Step)) == numbers_of(whole.of(Step))


def numbers_of(events: list[Step]) -> Mapping[int, tuple[object, ...]]:
    """Return what each step was made of and came to, of the last attempt that took it."""
    numbers = {
        it.step: (it.loss, it.gradient_norm, it.samples, it.images, it.tokens, it.target_tokens)
        for it in events
    }
    assert list(numbers) == list(range(1, STEPS + 1))
    return numbers
