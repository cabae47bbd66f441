"""Faults 14, 16 and 33: numbers that are not finite, too little GPU memory, and a lost GPU."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import trainer.train.rank as rank
from tests.faults.conftest import Kept
from tests.faults.disturbed_rank import Fault, disturb
from tests.trainer.supervisor.stand_in_nvml import LOST_FILE, build_stand_in_nvml
from tests.trainer_processes import Run
from tests.training import Trained, Training
from trainer.cli.status import overview, status_lines
from trainer.run.events import (
    Alert,
    AnyEvent,
    CheckpointPublished,
    Evaluation,
    Exit,
    NonFinite,
    Step,
    Telemetry,
    TrainerEnded,
)
from trainer.run.tail import EventTail
from trainer.supervisor.python import python_environment
from trainer.train.checkpoint import newest_verified_checkpoint
from trainer.train.rank import FAILED, FINISHED, Ending
from trainer.words.lines import line_of

SUPERVISOR = Path(__file__).with_name("supervise_disturbed.py")


def weights_of(trained: Trained) -> dict[str, torch.Tensor]:
    """Return copies of what is trained."""
    named = trained.setup.model.named_parameters()
    return {name: it.detach().clone() for name, it in named if it.requires_grad}


def weights_after_each_step(trained: Trained) -> dict[int, dict[str, torch.Tensor]]:
    """Return what will hold the weights after each step, from now on."""
    after = {trained.progress.step: weights_of(trained)}

    recorder = trained.setup.recorder
    write = recorder.write

    def write_and_keep(event: AnyEvent) -> None:
        write(event)
        if isinstance(event, Step):
            after[event.step] = weights_of(trained)

    recorder.write = write_and_keep
    return after


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


def records_of(trained: Trained, step: int, micro_batch: int | None = None) -> list[str]:
    """Return where the records of a step lie, or of one of its micro-batches."""
    plan, data = trained.setup.plan, trained.setup.train_data
    of_step = plan.samples_of(step - 1)
    chosen = of_step if micro_batch is None else plan.micro_batches(step - 1)[micro_batch]
    return [str(data.source(number)) for number in chosen]


def ended(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Ending:
    """Return what a rank says at the end of a run that was prepared before."""
    monkeypatch.setattr(rank, "prepare", lambda *_: (trained.setup, trained.progress))
    setup = trained.setup
    return rank.ended(setup.run, setup.recorder, trained.requests)


@pytest.mark.parametrize(
    ("fault", "what"), [("nan_loss", "loss"), ("infinite_gradient", "gradient")]
)
def test_fault_14_numbers_that_are_not_finite_move_nothing_and_are_told_with_their_records(
    trainings: Training, fault: Fault, what: str
):
    trained = trainings("training.max_steps=4")
    disturb(trained.setup, trained.progress, fault, {2})
    after = weights_after_each_step(trained)
    assert trained.go() == "finished"
    (event,) = trained.of(NonFinite)
    assert (event.step, event.what, event.in_a_row) == (2, what, 1)
    assert list(event.records) == records_of(trained, 2)
    assert all(Path(it).name in (line_of(event) or "") for it in event.records)
    steps: list[Step] = trained.of(Step)
    assert [step.updated for step in steps] == [True, False, True, True]
    assert [step.loss is None for step in steps] == [False, what == "loss", False, False]
    assert steps[1].gradient_norm is None
    assert b"NaN" not in trained.setup.run.layout.events.read_bytes()
    assert same(after[2], after[1])
    assert not same(after[3], after[2])
    assert all(it.isfinite().all() for it in after[4].values())
    for state in trained.setup.optimizer.state.values():
        assert all(it.isfinite().all() for it in state.values() if isinstance(it, torch.Tensor))


def test_fault_14_too_many_steps_in_a_row_end_the_run_and_what_is_saved_is_finite(
    trainings: Training, monkeypatch: pytest.MonkeyPatch
):
    trained = trainings(
        "training.max_steps=9", "training.max_nonfinite_steps=3", "checkpoint.every_steps=2"
    )
    disturb(trained.setup, trained.progress, "nan_loss", {1, 3, 4, 5, 6})
    ending = ended(trained, monkeypatch)
    assert [event.in_a_row for event in trained.of(NonFinite)] == [1, 1, 2, 3]
    assert ending.code == FAILED
    assert "loss was not finite for 3 steps in a row, last at step 5" in ending.message
    assert all(record in ending.message for record in records_of(trained, 5))
    found = newest_verified_checkpoint(trained.setup.run.layout, lambda _: None)
    assert found is not None
    assert found[1].step == 4  # of weights that no step has moved since the second
    for path in found[0].rglob("*.safetensors"):
        assert all(it.isfinite().all() for it in load_file(path).values()), path


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_fault_16_too_little_memory_leaves_no_half_gradient_and_says_what_to_lower(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, where: str
):
    trained = kept.resumed()
    fault: Fault = "memory_forward" if where == "forward" else "memory_backward"
    disturb(trained.setup, trained.progress, fault, {6}, micro_batch=2)
    after = weights_after_each_step(trained)
    ending = ended(trained, monkeypatch)
    assert ending.code == FAILED
    (record,) = records_of(trained, 6, micro_batch=2)
    for words in (f"in the {where} pass, at step 6", record, "batch.size", "activation_checkpoint"):
        assert words in ending.message
    assert same(weights_of(trained), after[5])
    assert trained.progress.step == 5
    assert [event.step for event in trained.of(CheckpointPublished)] == [2, 4]
    again = kept.resumed("model.activation_checkpointing=all", attempt=3)  # as the words say
    assert ended(again, monkeypatch).code == FINISHED
    assert kept.losses() == pytest.approx(kept.expected, rel=1e-5)


def test_fault_16_too_little_memory_in_validation_says_what_to_lower_there(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
):
    trained = kept.resumed("evaluation.every_steps=5", "evaluation.batch_size=3")
    real = trained.setup.forward.inputs

    def too_large(batch: Any) -> Any:
        if batch.samples > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(batch)

    monkeypatch.setattr(type(trained.setup.forward), "inputs", lambda _, batch: too_large(batch))
    ending = ended(trained, monkeypatch)
    assert "in validation, with a batch of" in ending.message
    assert f"{kept.training.shapes[1]}:3" in ending.message
    assert "evaluation.batch_size" in ending.message
    again = kept.resumed("evaluation.every_steps=5", "evaluation.batch_size=1", attempt=3)
    assert ended(again, monkeypatch).code == FINISHED
    assert kept.losses() == kept.expected
    assert [event.step for event in again.of(Evaluation)] == [5]


def supervised(
    run: Run,
    disturbed: str,
    ranks: int = 1,
    *,
    once_trained: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Exit:
    """Return the exit record of a real supervisor over ranks that are disturbed.

    A file is made once there is a step; `more` are variables of the environment.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", str(SUPERVISOR), str(run.layout.root), str(ranks)],
        env={
            **python_environment(),
            "DISTURBED": disturbed,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            **(more or {}),
        },
    )
    while once_trained and process.poll() is None and not once_trained.exists():
        time.sleep(0.02)
        if run.of(Step):
            once_trained.touch()
    process.wait(timeout=300)
    return [it for it in EventTail(run.layout.monitor).read() if isinstance(it, Exit)][-1]


SMALL = (
    "model.dtype=fp32",
    "model.quantization=none",
    "optimizer.name=adamw",
    "data.workers=0",
    "data.validation=[]",
    "batch.accumulation=2",
    "checkpoint.every_steps=2",
    "training.max_steps=9",
)


@pytest.mark.slow
def test_fault_16_too_little_memory_on_one_of_two_ranks_ends_both_and_names_its_records(
    make_run: Callable[..., Run],
):
    run = make_run("narrow", *SMALL, "training.ranks=2")
    end = supervised(run, "1 memory_forward 4", ranks=2)
    assert (end.state, end.code, end.step) == ("failed", 1, 3), run.layout.console.read_text()
    for words in ("rank 1: out of GPU memory in the forward pass, at step 4", ".jsonl:", "lower"):
        assert words in end.message
    assert [event.step for event in run.of(Step)] == [1, 2, 3]
    assert [event.step for event in run.of(CheckpointPublished)] == [2]


@pytest.mark.slow
def test_fault_33_a_lost_gpu_is_told_by_name_and_nothing_of_it_is_saved(
    make_run: Callable[..., Run], tmp_path: Path
):
    nvml = build_stand_in_nvml(tmp_path)
    lost = tmp_path / "lost"
    run = make_run("lost", *SMALL, "supervision.telemetry_seconds=0.1")
    more = {"LD_LIBRARY_PATH": str(nvml), LOST_FILE: str(lost)}
    end = supervised(run, "0 gpu_lost 4", once_trained=lost, more=more)
    assert (end.state, end.code, end.step) == ("failed", 1, 3), run.layout.console.read_text()
    said = run.of(TrainerEnded)[-1]
    assert (said.state, said.step, said.message) == ("failed", 3, end.message)
    for words in ("the GPU failed", "unspecified launch failure", "nvidia-smi", "last checkpoint"):
        assert words in end.message
    assert "Traceback" in run.layout.console.read_text()
    assert [path.name for path in run.layout.checkpoints.iterdir()] == ["step-00000002"]
    assert not run.layout.final.exists()
    telemetry = [it for it in EventTail(run.layout.telemetry).read() if isinstance(it, Telemetry)]
    assert [gpu.lost for gpu in telemetry[0].gpus] == [False, False]
    healthy, gone = telemetry[-1].gpus
    assert (healthy.lost, healthy.utilization) == (False, 0.97)
    assert (gone.lost, gone.uuid, gone.name) == (True, "GPU-bbbb", "Stand-in GPU")
    assert (gone.utilization, gone.memory_used_bytes, gone.throttle_reasons) == (None, None, ())
    alerts = [it for it in EventTail(run.layout.monitor).read() if isinstance(it, Alert)]
    assert [it.message for it in alerts if it.rule == "gpu_lost"] == ["the driver has lost GPU1"]
    shown = "\n".join(status_lines(overview(run.layout)))
    assert end.message in shown
    assert "the driver has lost GPU1" in shown
