"""Faults 15, 27 and 32: ranks that differ, change their number, or have nothing to do."""

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.trainer_processes import Process, Run
from tests.training import Training
from trainer.run.events import (
    AttemptStarted,
    CheckpointPublished,
    Evaluation,
    NonFinite,
    Notice,
    Planned,
    RecordSkipped,
    Step,
)
from trainer.supervisor.verdict import OTHERS_LOST

# 20 records, 6 a step: the last step of an epoch has one micro-batch, so rank 1 has none of it.
COMMON = (
    "batch.size=2",
    "batch.accumulation=3",
    "data.train_samples=20",
    "data.workers=0",
    "model.dtype=fp32",
    "model.quantization=none",
    "optimizer.name=adamw",
    "schedule.warmup_steps=1",
    "evaluation.every_steps=4",
    "evaluation.batch_size=3",
    "evaluation.generated_samples=1",
    "generation.max_new_tokens=2",
    "checkpoint.every_steps=3",
    "training.max_steps=9",
)


DISTURBED_RANK = Path(__file__).with_name("disturbed_rank.py")
Processes = Sequence[Process]


def end(run: Run, processes: Processes, *expected: int) -> None:
    codes = [process.wait(timeout=200) for process in processes]
    assert tuple(codes) == expected, run.layout.console.read_text()[-3000:]


def wait_until(reached: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + 200
    while not reached():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_fault_27_another_number_of_ranks_goes_on_with_the_same_samples_and_says_so(
    make_run: Callable[..., Run], mixed_shapes: Path
):
    data = f"data.train={mixed_shapes}"
    alone = make_run("alone", *COMMON, data)
    alone.finish()

    shared = make_run("shared", *COMMON, data, "training.ranks=2")
    processes = shared.start_ranks()
    wait_until(lambda: shared.last_step() >= 4, processes)
    processes[1].kill()
    end(shared, processes, OTHERS_LOST, -signal.SIGKILL)

    processes = shared.start_ranks()
    wait_until(lambda: shared.last_step() >= 6, processes)
    processes[1].terminate()  # one of them is told, both leave after the same step
    end(shared, processes, 3, 3)
    assert [it.reason for it in shared.of(CheckpointPublished)].count("signal") == 1

    shared.finish()  # with one rank
    assert [it.ranks for it in shared.of(AttemptStarted)] == [2, 2, 1]
    assert any("1 ranks now, 2 before" in it.message for it in shared.of(Notice))
    assert list(shared.losses()) == list(range(1, 10))
    assert shared.losses() == pytest.approx(alone.losses(), rel=1e-5)
    for name in ("samples", "target_tokens", "tokens", "images"):
        taken = {it.step: getattr(it, name) for it in shared.of(Step)}
        assert taken == {it.step: getattr(it, name) for it in alone.of(Step)}, name
    assert {it.step: it.gradient_norm for it in shared.of(Step)} == pytest.approx(
        {it.step: it.gradient_norm for it in alone.of(Step)}, rel=1e-4
    )
    assert {it.step: it.loss for it in shared.of(Evaluation)} == pytest.approx(
        {it.step: it.loss for it in alone.of(Evaluation)}, rel=1e-5
    )
    assert {it.samples for it in shared.of(Evaluation)} == {8}
    assert shared.of(Planned)[0].total_steps == 9


@pytest.mark.slow
def test_fault_15_numbers_that_are_not_finite_on_one_rank_move_no_rank(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
):
    run = make_run("poisoned", *COMMON, "training.ranks=2", "training.max_steps=4")
    monkeypatch.setenv("DISTURBED", "1 infinite_gradient 2, 1 nan_loss 3")
    processes = run.start_ranks(sys.executable, str(DISTURBED_RANK))
    end(run, processes, 0, 0)  # at the end they compare their weights
    steps: list[Step] = run.of(Step)
    assert [it.updated for it in steps] == [True, False, False, True]
    assert [it.loss is None for it in steps] == [False, False, True, False]
    events: list[NonFinite] = run.of(NonFinite)
    assert [(it.step, it.what, it.in_a_row) for it in events] == [
        (2, "gradient", 1),
        (3, "loss", 2),
    ]
    assert [len(it.records) for it in events] == [6, 6]  # of both


def write_some_without_answers(path: Path) -> list[bool]:
    """Write 19 records and return which of them have something to learn."""
    answered = [number % 5 not in (0, 2) for number in range(19)]
    with path.open("w") as file:
        for number, good in enumerate(answered):
            messages = [{"role": "user", "content": f"Say {number}."}]
            response = {"response": f"{number}, as you asked."} if good else {}
            file.write(json.dumps({"messages": messages, **response}) + "\n")
    return answered


@pytest.mark.slow
def test_fault_32_windows_without_a_target_and_ranks_without_a_share_neither_hang_nor_move(
    make_run: Callable[..., Run], trainings: Training, tmp_path: Path
):
    data = tmp_path / "some.jsonl"
    answered = write_some_without_answers(data)
    options = (
        *COMMON,
        f"data.train={data}",
        "batch.size=1",
        "batch.accumulation=2",  # the first is rank 0's, the second rank 1's
        "data.train_samples=19",  # so the last step has nothing for rank 1
        "data.validation_samples=1",  # and neither has validation
        "training.max_steps=10",
        "evaluation.every_steps=10",
    )
    alone = trainings(*options)
    plan = alone.setup.plan
    shares = [tuple(answered[it] for it in plan.samples_of(window)) for window in range(10)]
    assert {*shares} >= {(False, False), (True, False), (False, True), (True, True)}
    assert len(shares[9]) == 1

    run = make_run("uneven", *options, "training.ranks=2")
    end(run, run.start_ranks(), 0, 0)
    steps: list[Step] = run.of(Step)
    assert [it.updated for it in steps] == [any(share) for share in shares]
    assert [it.loss is not None for it in steps] == [any(share) for share in shares]
    assert [it.samples for it in steps] == [sum(share) for share in shares]
    assert not run.of(NonFinite)
    assert len(run.of(RecordSkipped)) == answered.count(False)
    assert alone.go() == "finished"
    assert run.losses() == pytest.approx({it.step: it.loss for it in alone.of(Step)}, rel=1e-5)
    assert [it.samples for it in run.of(Evaluation)] == [1]
