"""Faults 3 to 6, 26 to 28 and 31: what a run goes on from."""

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import LONGER, OPTIONS, Kept
from trainer.cli.begin import resume_run
from trainer.cli.manner import Manner
from trainer.config.load import ConfigError
from trainer.data.errors import DataChanged
from trainer.run.events import CheckpointRejected, Notice, Resumed, Step
from trainer.run.manifest import MANIFEST_NAME, hash_files
from trainer.train.resume import CheckpointRefused


def rewrite_manifest(folder: Path) -> None:
    """Make the manifest agree with the files, as somebody would who wants them to be taken."""
    path = folder / MANIFEST_NAME
    manifest = json.loads(path.read_bytes())
    files = hash_files(folder).items()
    manifest["files"] = {name: vars(record) for name, record in files}
    path.write_text(json.dumps(manifest))


def truncate(folder: Path) -> None:
    path = folder / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def truncate_weights(folder: Path) -> None:
    (path,) = (folder / "adapter").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder: Path) -> None:
    path = folder / "optimizer.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def lose_the_state(folder: Path) -> None:
    (folder / "state.json").unlink()


def truncate_the_state(folder: Path) -> None:
    (folder / "state.json").write_bytes((folder / "state.json").read_bytes()[:50])
    rewrite_manifest(folder)


def lose_the_optimizer(folder: Path) -> None:
    (folder / "optimizer.safetensors").unlink()


def lose_the_optimizer_with_a_manifest(folder: Path) -> None:
    lose_the_optimizer(folder)
    rewrite_manifest(folder)


def add_a_pickle(folder: Path) -> None:
    (folder / "optimizer.pt").write_bytes(pickle.dumps(print))


def replace_by_a_pickle(folder: Path) -> None:
    (folder / "optimizer.safetensors").write_bytes(pickle.dumps(print))
    rewrite_manifest(folder)


def claim_a_huge_header(folder: Path) -> None:
    path = folder / "optimizer.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])
    rewrite_manifest(folder)


def name_a_file_outside(folder: Path) -> None:
    path = folder / MANIFEST_NAME
    manifest = json.loads(path.read_bytes())
    manifest["files"]["../../config.yaml"] = {"bytes": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(manifest))


def goes_on_from_step_2(kept: Kept, damage: Callable[[Path], None]) -> None:
    damage(kept.checkpoint(4))
    trained = kept.resumed()
    assert trained.progress.step == 2
    assert trained.go() == "finished"
    (rejected,) = trained.of(CheckpointRejected)
    assert rejected.step == 4
    assert rejected.reason
    assert (kept.layout.root / rejected.path).is_dir()
    assert kept.losses() == kept.expected
    assert trained.of(Resumed)[-1].checkpoint == "step-00000002"


@pytest.mark.parametrize("damage", [truncate, truncate_weights])
def test_fault_03_a_truncated_file_is_noticed_and_the_checkpoint_before_is_taken(
    kept: Kept, damage: Callable[[Path], None]
):
    goes_on_from_step_2(kept, damage)


def test_fault_04_one_flipped_bit_is_noticed(kept: Kept):
    goes_on_from_step_2(kept, flip_a_bit)


@pytest.mark.parametrize(
    "damage",
    [
        lose_the_state,
        truncate_the_state,
        lose_the_optimizer,
        lose_the_optimizer_with_a_manifest,
    ],
)
def test_fault_05_a_missing_or_broken_part_passes_the_checkpoint_over(
    kept: Kept, damage: Callable[[Path], None]
):
    goes_on_from_step_2(kept, damage)


def test_fault_05_a_run_whose_checkpoints_are_all_damaged_is_never_started_anew(kept: Kept):
    for step in (2, 4):
        flip_a_bit(kept.checkpoint(step))
    for attempt in (2, 3):  # also when it is tried again
        with pytest.raises(CheckpointRefused, match="rejected-step-00000002-1, rejected-step"):
            kept.resumed(attempt=attempt)
    for path in kept.layout.checkpoints.iterdir():
        shutil.rmtree(path)
    assert kept.resumed(attempt=4).progress.step == 0  # the remedy that was told


def test_fault_05_a_checkpoint_of_another_run_is_refused(kept: Kept):
    other = kept.training("seed=1", "training.max_steps=5", name="other")
    other.go()
    shutil.copytree(other.setup.run.layout.checkpoint(5), kept.checkpoint(5))
    with pytest.raises(
        CheckpointRefused, match=r"step-00000005: .* configuration \(seed: 1 became 0; "
    ):
        kept.resumed()
    shutil.rmtree(kept.checkpoint(5))
    assert kept.resumed(attempt=3).progress.step == 4


def test_fault_06_strays_are_ignored_and_told_and_only_ours_are_removed(kept: Kept):
    checkpoints = kept.layout.checkpoints
    (checkpoints / "tmp-6-4711").mkdir()
    (checkpoints / "tmp-6-4711" / "optimizer.safetensors").write_bytes(b"half")
    (checkpoints / "notes.txt").write_text("mine")
    (checkpoints / "step-00000006").mkdir()
    trained = kept.resumed()
    assert trained.progress.step == 4
    told = " ".join(it.message for it in trained.of(Notice) if it.topic == "leftover")
    assert "tmp-6-4711" in told
    assert "notes.txt" in told
    assert not (checkpoints / "tmp-6-4711").exists()
    assert (checkpoints / "notes.txt").read_text() == "mine"
    assert [it.step for it in trained.of(CheckpointRejected)] == [6]
    trained.go()
    assert kept.losses() == kept.expected


def test_fault_26_data_that_changed_before_a_resume_is_refused_with_what_changed(kept: Kept):
    data = kept.training.folder / "train.jsonl"
    lines = kept.training.shapes[0].read_text().splitlines()
    data.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataChanged, match=r"train\.jsonl: was not there before"):
        kept.resumed(f"data.train={data}")


@pytest.mark.parametrize("option", ["batch.size=2", "tune.rank=4", "batch.accumulation=2"])
def test_fault_27_other_numbers_are_refused_with_what_changed(kept: Kept, option: str):
    manner = Manner(detach=True, foreground=False, events=None, json=False)
    before = kept.layout.config.read_bytes()
    with pytest.raises(ConfigError, match=option.partition("=")[0]):
        resume_run(str(kept.layout.root), [option], None, manner)
    assert kept.layout.config.read_bytes() == before
    with pytest.raises(CheckpointRefused, match=r"undo the change in config\.yaml"):
        kept.resumed(option)  # as if somebody had edited the file


@pytest.mark.parametrize(
    "damage", [add_a_pickle, replace_by_a_pickle, claim_a_huge_header, name_a_file_outside]
)
def test_fault_28_a_malicious_checkpoint_is_passed_over(
    kept: Kept, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pickle, "Unpickler", None)
    goes_on_from_step_2(kept, damage)


def test_fault_31_a_run_goes_on_at_the_end_of_an_epoch_and_a_finished_one_repeats_nothing(
    kept: Kept,
):
    epoch = (*OPTIONS, "data.train_samples=8")  # two steps an epoch
    whole = kept.training(*epoch, LONGER, name="whole")
    whole.go()
    kept.training(*epoch, "training.max_steps=4", name="cut").go()  # to the end of the second
    for attempt in (2, 3, 4):  # the first goes on, the others have nothing left to do
        trained = kept.training(*epoch, LONGER, name="cut", attempt=attempt)
        assert trained.progress.step == (4 if attempt == 2 else 6)
        assert trained.go() == "finished"
    steps = [(event.step, event.loss) for event in trained.of(Step)]
    assert steps == [(event.step, event.loss) for event in whole.of(Step)]
