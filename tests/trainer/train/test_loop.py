"""The loop in this process: early stopping, best checkpoint, commands, rehearsal, trackers."""

import json
import zipfile
from pathlib import Path

import orjson
import pytest
import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText

from tests.training import Training
from trainer.data.errors import DataChanged
from trainer.data.lengths import length_table
from trainer.model.modes import evaluating
from trainer.run.commands import send_command
from trainer.run.events import (
    AnyEvent,
    CheckpointFailed,
    CheckpointPublished,
    CommandDone,
    Evaluation,
    FinalWritten,
    Notice,
    Phase,
    SamplePrediction,
    Step,
)
from trainer.run.manifest import MANIFEST_NAME
from trainer.train import rehearsal
from trainer.train.rehearsal import rehearse_largest_batch
from trainer.train.requests import StoppedBeforeTraining
from trainer.train.resume import CheckpointRefused
from trainer.train.trackers import start_trackers, track

PREDICTIONS_PER_RUN = 2


def test_training_stops_early_when_validation_no_longer_improves(
    prepared: Training,
):
    trained = prepared(
        "training.max_steps=9",
        "evaluation.every_steps=1",
        "evaluation.generated_samples=0",
        "evaluation.early_stopping_evaluations=2",
        "evaluation.early_stopping_min_improvement=5",
    )
    assert trained.go() == "finished"
    assert [event.best for event in trained.of(Evaluation)] == [True, False, False]
    (final,) = trained.of(FinalWritten)
    assert (final.step, final.partial) == (3, False)


def test_the_best_checkpoint_is_kept_beside_the_newest_two(prepared: Training):
    trained = prepared(
        "training.max_steps=6",
        "checkpoint.every_steps=1",
        "evaluation.every_steps=2",
        "evaluation.generated_samples=0",
        "evaluation.early_stopping_min_improvement=5",
    )
    trained.go()
    kept = sorted(path.name for path in trained.setup.run.layout.checkpoints.iterdir())
    assert kept == ["step-00000002", "step-00000005", "step-00000006"]


def test_no_scheduled_checkpoint_is_written_before_the_step_asked_for(
    prepared: Training,
):
    trained = prepared("checkpoint.every_steps=1", "checkpoint.not_before_step=3")
    trained.go()
    published = [(event.step, event.reason) for event in trained.of(CheckpointPublished)]
    assert published == [(3, "schedule"), (4, "end")]


def test_commands_take_effect_and_are_acknowledged(prepared: Training):
    trained = prepared("generation.max_new_tokens=3", "evaluation.generated_samples=2")
    layout = trained.setup.run.layout
    asked = [send_command(layout, 1, name) for name in ("checkpoint", "evaluate")]
    send_command(layout, 7, "stop")
    assert trained.go() == "finished"
    done = {event.id: event.step for event in trained.of(CommandDone)}
    assert done == {command.id: 1 for command in asked}
    assert [event.reason for event in trained.of(CheckpointPublished)] == ["command", "end"]
    predictions = trained.of(SamplePrediction)
    assert len(predictions) == PREDICTIONS_PER_RUN
    assert all(json.loads(prediction.truth) for prediction in predictions)
    (shown,) = [event for event in predictions if "color" in json.loads(event.truth)]
    assert shown.prompt.count("<|image_pad|>") == 1


def test_a_stop_writes_a_checkpoint_and_a_partial_result(prepared: Training):
    trained = prepared("training.max_steps=50")
    layout = trained.setup.run.layout

    def stop_after_two(event: AnyEvent) -> None:
        if isinstance(event, Step) and event.step == 2:
            send_command(layout, 1, "stop")

    trained.setup.recorder.also = stop_after_two
    assert trained.go() == "stopped"
    assert [event.reason for event in trained.of(CheckpointPublished)] == ["stop"]
    (final,) = trained.of(FinalWritten)
    assert (final.step, final.partial) == (2, True)
    assert json.loads((layout.final / "run.json").read_text())["partial"] is True
    assert "Partial" in (layout.final / "README.md").read_text()
    names = zipfile.ZipFile(layout.root / "final.zip").namelist()
    assert {"final/run.json", "final/adapter/adapter_model.safetensors"} <= set(names)
    assert trained.of(CommandDone)


def test_a_stop_that_comes_before_training_leaves_at_once(prepared: Training):
    trained = prepared()
    send_command(trained.setup.run.layout, 1, "stop")
    with pytest.raises(StoppedBeforeTraining):
        trained.requests.begin_training()


def test_a_stop_in_the_middle_of_a_validation_is_obeyed_and_made_up_for(
    prepared: Training,
):
    options = ("evaluation.every_steps=2", "evaluation.batch_size=1", "generation.max_new_tokens=2")
    trained = prepared(*options)
    layout = trained.setup.run.layout

    def stop_in_validation(event: AnyEvent) -> None:
        if isinstance(event, Phase) and event.name == "evaluate" and event.state == "started":
            send_command(layout, 1, "stop")

    trained.setup.recorder.also = stop_in_validation
    assert trained.go() == "stopped"
    assert trained.of(Evaluation) == []
    resumed = prepared(*options, attempt=2)
    assert resumed.progress.step == 2
    assert resumed.go() == "finished"
    assert [event.step for event in resumed.of(Evaluation)] == [2, 4]


def test_changed_data_is_refused_on_resume_with_what_changed_and_moved_data_is_not(
    prepared: Training, shapes: tuple[Path, Path], tmp_path: Path
):
    data = tmp_path / "train.jsonl"
    lines = shapes[0].read_text().splitlines()[:6]
    data.write_text("\n".join(lines))
    prepared(f"data.train={data}").go()
    moved = tmp_path / "moved.jsonl"
    moved.write_text("\n".join(lines))
    prepared(f"data.train={moved}", attempt=2)
    data.write_text("\n".join(lines[:5]))
    with pytest.raises(DataChanged, match=r"train\.jsonl: content changed"):
        prepared(f"data.train={data}", attempt=3)


def test_checkpoints_of_a_version_that_had_fewer_options_are_gone_on_from(prepared: Training):
    trained = prepared()
    trained.go()
    manifest = trained.setup.run.layout.checkpoint(4) / MANIFEST_NAME
    written = orjson.loads(manifest.read_bytes())
    del written["options"]["model.compile"]
    manifest.write_bytes(orjson.dumps(written))
    assert prepared(attempt=2).progress.step == 4
    del written["options"]
    manifest.write_bytes(orjson.dumps({**written, "fingerprint": "of an even older one"}))
    assert prepared(attempt=3).progress.step == 4


def test_a_checkpoint_of_another_configuration_is_refused_and_left_alone(prepared: Training):
    prepared("checkpoint.every_steps=2").go()
    with pytest.raises(CheckpointRefused, match=r"step-00000004: .* \(tune\.rank: 16 became 8\)"):
        prepared("checkpoint.every_steps=2", "tune.rank=8", attempt=2)
    same = prepared("checkpoint.every_steps=1", "data.workers=0", attempt=3)
    assert same.progress.step == 4


def test_training_goes_on_when_a_scheduled_checkpoint_cannot_be_written(
    prepared: Training,
):
    trained = prepared("checkpoint.every_steps=2")
    checkpoints = trained.setup.run.layout.checkpoints
    checkpoints.mkdir()
    blocked = checkpoints / "step-00000002"
    blocked.mkdir()
    for number in range(1, 10_000):
        (checkpoints / f"rejected-step-00000002-{number}").mkdir()
    assert trained.go() == "finished"
    (failed,) = trained.of(CheckpointFailed)
    assert failed.step == 2
    assert [event.step for event in trained.of(CheckpointPublished)] == [4]


def test_a_results_file_that_cannot_be_written_is_a_notice_and_not_the_end(
    prepared: Training,
):
    trained = prepared("evaluation.at_end=true", "evaluation.generated_samples=0")
    (trained.setup.run.layout.root / "validation_results.json").mkdir()
    assert trained.go() == "finished"
    told = [event.message for event in trained.of(Notice) if event.topic == "disk"]
    assert len(told) == 1
    assert "validation_results.json" in told[0]


def test_the_largest_batch_is_tried_without_changing_the_numbers(
    prepared: Training,
):
    trained = prepared("data.train_samples=12")
    before = {name: weight.clone() for name, weight in trained.setup.model.named_parameters()}
    with trained.setup.pool:
        rehearse_largest_batch(trained.setup)
    for name, weight in trained.setup.model.named_parameters():
        assert torch.equal(weight, before[name])
        assert weight.grad is None
    assert [event.topic for event in trained.of(Notice)][-1] == "largest_first"


def test_where_lengths_are_known_the_largest_batch_is_that_of_most_tokens(
    prepared: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rehearsal, "CANDIDATES", 1)
    Image.new("RGB", (640, 640)).save(tmp_path / "large.png")
    picture = {"role": "user", "content": [{"type": "image", "image": "large.png"}]}
    values = [{"prompt": "long? " * 60, "response": "?"}, {"messages": [picture], "response": "!"}]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(it) + "\n" for it in values))
    trained = prepared(f"data.train={tmp_path}/two.jsonl")

    def tried() -> str:
        rehearse_largest_batch(trained.setup)
        return trained.of(Notice)[-1].message

    with trained.setup.pool:
        by_lines = tried()
        records = trained.setup.splits["train"].records
        table = length_table(records, trained.setup.forward.preprocessing.measuring())
        assert table.tokens[0] < table.tokens[1]
        assert by_lines.endswith(f" {table.tokens[0]} tokens")
        assert tried().endswith(f" {table.tokens[1]} tokens")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 1e-2)])
def test_the_final_adapter_gives_plain_peft_the_logits_the_trainer_had(
    prepared: Training, dtype: str, tolerance: float
):
    trained = prepared(
        f"model.dtype={dtype}", "tune.vision=lora", "tune.aligner=lora", "schedule.warmup_steps=0"
    )
    assert trained.go() == "finished"
    setup = trained.setup
    with setup.pool:
        batch = next(iter(setup.validation_singles(1)))
    inputs, _labels = setup.forward.inputs(batch)
    with evaluating(setup.model), torch.no_grad(), setup.accelerator.autocast():
        ours = setup.model(**inputs).logits

    base = AutoModelForImageTextToText.from_pretrained(
        setup.config.model.path, dtype=setup.forward.pixel_dtype
    )
    plain = PeftModel.from_pretrained(base, str(setup.run.layout.final / "adapter")).eval()
    with torch.no_grad(), setup.accelerator.autocast():
        found = plain(**inputs).logits
        with plain.disable_adapter():
            untrained = plain(**inputs).logits
    assert (found.float() - ours.float()).abs().max() <= tolerance
    assert (untrained.float() - ours.float()).abs().max() > tolerance


def test_tensorboard_receives_train_and_eval_values(prepared: Training):
    trained = prepared(
        "training.log_with=[tensorboard]",
        "evaluation.at_end=true",
        "evaluation.generated_samples=0",
    )
    setup = trained.setup
    start_trackers(setup.accelerator, setup.config)
    setup.recorder.also = lambda event: track(setup.accelerator, event)
    trained.go()
    setup.accelerator.end_training()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(setup.run.layout.root / "trackers" / "qvl"))
    board.Reload()
    assert {"train/loss", "train/learning_rate_language", "eval/loss"} <= set(
        board.Tags()["scalars"]
    )
    assert [point.step for point in board.Scalars("train/loss")] == [1, 2, 3, 4]
