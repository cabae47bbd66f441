"""Two ranks make the steps of one."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from trainer.run.events import (
    AttemptStarted,
    CheckpointPublished,
    Evaluation,
    NonFinite,
    Notice,
    Planned,
    Step,
)
from trainer.train.ranks import Ranks
from trainer.train.window import Forward, Gradients, sum_over_ranks

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


def end(run, processes, *expected: int) -> None:  # noqa: ANN001
    codes = [process.wait(timeout=200) for process in processes]
    assert tuple(codes) == expected, run.layout.console.read_text()[-3000:]


def wait_until(reached: Callable[[], bool], processes) -> None:  # noqa: ANN001
    deadline = time.monotonic() + 200
    while not reached():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_two_ranks_interrupted_twice_give_the_numbers_of_one(
    make_run: Callable, mixed_shapes: Path
):
    data = f"data.train={mixed_shapes}"
    alone = make_run("alone", *COMMON, data)
    alone.finish()

    shared = make_run("shared", *COMMON, data, "training.ranks=2")
    processes = shared.start_ranks()
    wait_until(lambda: shared.last_step() >= 4, processes)
    processes[1].kill()
    end(shared, processes, 1, -signal.SIGKILL)

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
def test_a_gradient_that_is_not_finite_on_one_rank_moves_no_rank(make_run: Callable):
    run = make_run("poisoned", *COMMON, "training.ranks=2", "training.max_steps=3")
    processes = run.start_ranks(sys.executable, "-m", "tests.trainer.train.poisoned_rank")
    end(run, processes, 0, 0)  # at the end they compare their weights
    assert [it.updated for it in run.of(Step)] == [True, False, True]
    (event,) = run.of(NonFinite)
    assert (event.step, event.what) == (2, "gradient")
    assert len(event.records) == 6  # of both


@pytest.mark.slow
def test_bad_data_on_one_rank_ends_both_and_is_named(make_run: Callable, shapes: tuple[Path, Path]):
    records = shapes[0].read_text().splitlines()[:20]
    records[7] = "{broken"
    data = shapes[0].with_name("broken.jsonl")
    data.write_text("\n".join(records) + "\n")
    options = (f"data.train={data}", "data.bad_records=refuse", "training.ranks=2")
    run = make_run("refusing", *COMMON, *options)
    codes = [process.wait(timeout=200) for process in run.start_ranks()]
    console = run.layout.console.read_text()
    assert sorted(codes) == [1, 2], console
    assert "broken.jsonl:8" in console.splitlines()[-1]


def test_one_rank_sums_nothing_and_asks_nobody():
    ranks = Ranks()
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    ranks.sum([weight.grad])
    assert weight.grad.tolist() == [1.0, 2.0]
    assert ranks.gather("word") == ["word"]
    gradients = Gradients(3, {"loss": torch.tensor(1.0)})
    assert sum_over_ranks(Forward(nn.Module(), None, None, 0), ranks, gradients) is gradients  # pyright: ignore
