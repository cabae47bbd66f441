"""Packed and grouped micro-batches train and evaluate with the numbers of padded ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training import Trained, Training
from trainer.run.events import Evaluation, Notice, SamplePrediction, Step
from trainer.train.rehearsal import rehearse_largest_batch

LIMITS = ("batch.tokens=260", "batch.patches=200")
LAYOUTS = {
    "one row": ("batch.packing=pack",),
    "rows": ("batch.packing=pack", *LIMITS),
    "rows, checkpointed": (
        *("batch.packing=pack", *LIMITS),
        "model.activation_checkpointing=true",
    ),
    "grouped": ("batch.packing=group", *LIMITS),
}


@pytest.fixture
def prepared(tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Training:
    """Return a function that prepares a run (again, with the same name) from options."""
    return Training(tmp_path, tiny_checkpoint, shapes)


def of_a_run(prepared: Training, data: Path, name: str, *options: str) -> Trained:
    common = (
        f"data.train={data}",
        *("batch.size=2", "batch.accumulation=4", "tune.dropout=0", "schedule.warmup_steps=1"),
        *("training.max_steps=3", "evaluation.at_end=true", "evaluation.batch_size=5"),
        *("evaluation.generated_samples=1", "generation.max_new_tokens=4"),
        *("checkpoint.final_zip=false", "tune.vision=lora", "tune.aligner=lora"),
    )
    trained = prepared(*common, *options, name=name)
    assert trained.go() == "finished"
    return trained


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
def test_steps_and_evaluations_have_the_numbers_of_padded_batches(
    prepared: Training, mixed_shapes: Path
):
    padded = of_a_run(prepared, mixed_shapes, "padded")
    (evaluation,) = padded.of(Evaluation)
    (answer,) = padded.of(SamplePrediction)
    for name, options in LAYOUTS.items():
        other = of_a_run(prepared, mixed_shapes, name, *options)
        for step, expected in zip(other.of(Step), padded.of(Step), strict=True):
            assert step.loss == pytest.approx(expected.loss, rel=1e-5)
            assert step.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)
            assert step.token_accuracy == pytest.approx(expected.token_accuracy, abs=1e-6)
            counts = ("samples", "tokens", "target_tokens", "images")
            assert [getattr(step, it) for it in counts] == [getattr(expected, it) for it in counts]
            assert expected.padding_share > 0
            assert step.padding_share < 0.1 if name == "grouped" else step.padding_share == 0
        (found,) = other.of(Evaluation)
        assert found.loss == pytest.approx(evaluation.loss, rel=1e-5)
        assert found.entropy == pytest.approx(evaluation.entropy, rel=1e-5)
        assert found.samples == evaluation.samples
        assert other.of(SamplePrediction)[0].answer == answer.answer


def test_a_run_says_how_its_samples_are_laid_out(prepared: Training, mixed_shapes: Path):
    options = (f"data.train={mixed_shapes}", "batch.size=2")
    told = {
        packing: [it.message for it in trained.of(Notice) if it.topic == "packing"]
        for packing in ("none", "pack", "group")
        for trained in [prepared(*options, f"batch.packing={packing}", name=packing)]
    }
    assert told == {
        "none": [],
        "pack": [
            "micro-batches are rows of samples without padding, at most 4096 tokens and 16384 "
            "patches; attention: sdpa, a call for each sample"
        ],
        "group": [
            "micro-batches hold samples of similar length, at most 4096 tokens and 16384 patches "
            "with padding"
        ],
    }


def test_the_largest_row_is_filled_up_to_its_limit(prepared: Training, mixed_shapes: Path):
    options = (f"data.train={mixed_shapes}", "batch.accumulation=8", "batch.packing=pack")
    trained = prepared(*options, "batch.tokens=400")
    with trained.setup.pool:
        rehearse_largest_batch(trained.setup)
    message = trained.of(Notice)[-1].message
    tokens = int(message.split()[-2])
    assert 260 < tokens <= 400


def test_a_packed_run_that_was_stopped_goes_on_with_the_same_numbers(
    prepared: Training, mixed_shapes: Path
):
    options = (f"data.train={mixed_shapes}", "batch.accumulation=8", "batch.packing=pack")
    more = ("batch.tokens=260", "tune.dropout=0.1", "evaluation.generated_samples=0")
    whole = prepared(*options, *more, name="whole")
    assert whole.go() == "finished"
    stopped = prepared(*options, *more, name="stopped")
    weight = next(it for it in stopped.setup.model.parameters() if it.requires_grad)

    def stop(gradient: Tensor) -> Tensor:
        stopped.requests.heard.stop = "stop" if stopped.progress.step == 1 else None
        return gradient

    weight.register_hook(stop)
    assert stopped.go() == "stopped"
    resumed = prepared(*options, *more, name="stopped", attempt=2)
    assert resumed.progress.step == 2
    assert resumed.go() == "finished"
    losses = [{it.step: it.loss for it in run.of(Step)} for run in (whole, resumed)]
    assert losses[0] == losses[1]
    assert list(losses[0]) == [1, 2, 3, 4]
    for (name, expected), found in zip(
        whole.setup.model.named_parameters(), resumed.setup.model.parameters(), strict=True
    ):
        assert torch.equal(found, expected), name
