"""Checkpoints appear whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.config.load import load_config
from trainer.run import durable
from trainer.run.events import AnyEvent, CheckpointPruned, CheckpointRejected, Notice
from trainer.run.layout import RunLayout
from trainer.run.manifest import DamagedCheckpoint, Manifest, verify_checkpoint
from trainer.train.checkpoint import (
    NotEnoughSpace,
    newest_verified_checkpoint,
    prune_checkpoints,
    publish_checkpoint,
    remove_leftovers,
)
from trainer.train.final import model_card
from trainer.train.prepare import thread_count
from trainer.train.progress import Progress, encode_progress
from trainer.train.resume import earlier_threads


def manifest(step: int) -> Manifest:
    return Manifest(step=step, attempt=1, data_sha256="d", versions={"torch": "2"}, files={})


def content(step: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "weights").write_bytes(bytes([step % 256]) * 1000)
        (folder / "state.json").write_text(f'{{"step": {step}}}')

    return write


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    return RunLayout(tmp_path)


def publish(layout: RunLayout, *steps: int) -> None:
    for step in steps:
        publish_checkpoint(layout, manifest(step), content(step), 2000)


def names(layout: RunLayout) -> list[str]:
    return sorted(path.name for path in layout.checkpoints.iterdir())


def test_a_published_checkpoint_verifies_and_names_its_files(layout: RunLayout):
    publish(layout, 5)
    found = verify_checkpoint(layout.checkpoint(5))
    assert set(found.files) == {"adapter/weights", "state.json"}
    assert found.files["adapter/weights"].bytes == 1000


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "add", "manifest"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_taken(
    layout: RunLayout, damage: str
):
    publish(layout, 5, 10)
    weights = layout.checkpoint(10) / "adapter" / "weights"
    if damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "flip":
        weights.write_bytes(b"\x0b" + weights.read_bytes()[1:])
    elif damage == "remove":
        (layout.checkpoint(10) / "state.json").unlink()
    elif damage == "add":
        (layout.checkpoint(10) / "optimizer.pkl").write_bytes(b"x")
    else:
        (layout.checkpoint(10) / "manifest.json").write_bytes(b'{"step": 10')
    events: list[AnyEvent] = []
    found = newest_verified_checkpoint(layout, events.append)
    assert found is not None
    assert found[0] == layout.checkpoint(5)
    (rejected,) = events
    assert isinstance(rejected, CheckpointRejected)
    assert rejected.step == 10
    assert names(layout) == ["rejected-step-00000010-1", "step-00000005"]


def test_a_valid_checkpoint_at_the_same_step_is_kept(layout: RunLayout):
    publish(layout, 5)
    before = (layout.checkpoint(5) / "manifest.json").stat().st_ino
    publish_checkpoint(layout, manifest(5), content(6), 2000)
    assert (layout.checkpoint(5) / "manifest.json").stat().st_ino == before
    assert (layout.checkpoint(5) / "adapter" / "weights").read_bytes()[0] == 5


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_behind(layout: RunLayout):
    publish(layout, 5)

    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish_checkpoint(layout, manifest(10), fail, 0)
    assert names(layout) == ["step-00000005"]


def test_a_checkpoint_that_is_not_flushed_is_not_published(
    layout: RunLayout, monkeypatch: pytest.MonkeyPatch
):
    def fail(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        publish(layout, 5)
    assert names(layout) == []


def test_too_little_space_is_refused_before_anything_is_written(layout: RunLayout):
    with pytest.raises(NotEnoughSpace, match="free some space"):
        publish_checkpoint(layout, manifest(5), content(5), 2**60)
    assert names(layout) == []


def test_pruning_keeps_the_newest_and_the_best(layout: RunLayout):
    publish(layout, 1, 2, 3, 4, 5)
    events: list[AnyEvent] = []
    prune_checkpoints(layout, keep_last=2, best_step=2, notify=events.append)
    assert names(layout) == ["step-00000002", "step-00000004", "step-00000005"]
    pruned = [event.step for event in events if isinstance(event, CheckpointPruned)]
    assert sorted(pruned) == [1, 3]


def test_leftovers_of_ours_are_removed_and_foreign_files_are_only_reported(layout: RunLayout):
    publish(layout, 5)
    (layout.checkpoints / "tmp-7-123").mkdir()
    (layout.checkpoints / "notes.txt").write_text("mine")
    events: list[AnyEvent] = []
    remove_leftovers(layout, events.append)
    assert names(layout) == ["notes.txt", "step-00000005"]
    assert [event.topic for event in events if isinstance(event, Notice)] == ["leftover"] * 2


def test_an_empty_step_folder_is_no_checkpoint(layout: RunLayout):
    publish(layout, 5)
    layout.checkpoint(9).mkdir()
    found = newest_verified_checkpoint(layout, lambda _event: None)
    assert found is not None
    assert found[0] == layout.checkpoint(5)
    publish(layout, 9)
    assert verify_checkpoint(layout.checkpoint(9)).step == 9


def test_a_manifest_with_a_path_outside_the_checkpoint_is_refused(layout: RunLayout):
    publish(layout, 5)
    path = layout.checkpoint(5) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"state.json"', b'"../../state.json"'))
    with pytest.raises(DamagedCheckpoint, match="missing"):
        verify_checkpoint(layout.checkpoint(5))


def test_the_thread_count_of_earlier_attempts_is_known_from_any_readable_checkpoint(
    layout: RunLayout,
):
    assert earlier_threads(layout) == 0
    for step in (5, 9):
        layout.checkpoint(step).mkdir(parents=True)
    state = encode_progress(Progress(step=5, threads=3), {})
    (layout.checkpoint(5) / "state.json").write_bytes(state)
    (layout.checkpoint(9) / "state.json").write_bytes(b"{")
    assert earlier_threads(layout) == 3
    config = load_config("balanced", ["model.path=m", "data.train=t"], files_must_exist=False)
    threads = {"training": config.training.model_copy(update={"threads": 7})}
    configured = config.model_copy(update=threads)
    assert (thread_count(configured, 3), thread_count(configured, 0)) == (3, 7)


@pytest.mark.parametrize("is_adapter", [True, False])
def test_the_model_card_says_how_to_load_what_was_saved(layout: RunLayout, is_adapter: bool):
    config = load_config("balanced", ["model.path=m", "data.train=t"], files_must_exist=False)
    card = model_card(layout, config, Progress(step=3, total_steps=3), is_adapter)
    assert ("library_name: peft" in card) == is_adapter
    assert ('"final/adapter"' in card) == is_adapter
    assert ('"final/model"' in card) != is_adapter
