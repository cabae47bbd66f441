"""With the vision cache a picture goes through a frozen tower once, and the numbers stay."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import training
from tests.trainer.model.building import load
from trainer.config.load import ConfigError, load_config
from trainer.data import disk_features
from trainer.data.worker import Request
from trainer.model.flops import training_cost
from trainer.run.events import Notice, Resumed, Step
from trainer.train import build_vision_cache, cache_choice
from trainer.train.free_memory import free_memory_bytes
from trainer.train.setup import Setup

# 48 records, 4 a step: 12 steps an epoch
COMMON = (
    *("model.dtype=fp32", "model.quantization=none", "optimizer.name=adamw"),
    *("batch.size=2", "batch.accumulation=2", "training.max_steps=24", "training.threads=1"),
    *("schedule.warmup_steps=2", "evaluation.every_steps=12", "evaluation.at_end=false"),
    *("evaluation.generated_samples=1", "generation.max_new_tokens=2"),
)


@dataclass(frozen=True)
class Trained:
    """A run in this process that came to its end."""

    run: training.Trained

    @property
    def setup(self) -> Setup:
        return self.run.setup

    def of(self, kind: type) -> list[Any]:
        return self.run.of(kind)

    def losses(self) -> list[float]:
        return [step.loss for step in self.of(Step)]

    def hits(self) -> list[float]:
        return [step.further["vision_cache_hits"] for step in self.of(Step)]

    def told(self) -> list[str]:
        return [it.message for it in self.of(Notice) if it.topic == "vision_cache"]


@pytest.fixture
def trained(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> Callable[..., Trained]:
    """Return a function that trains a run with options."""
    prepared = training.Training(tmp_path, tiny_checkpoint, shapes)
    numbers = count()

    def go(*options: str) -> Trained:
        run = prepared(*COMMON, *options, name=f"run-{next(numbers)}")
        assert run.go() == "finished"
        if run.setup.forward.vision is not None:
            run.setup.forward.vision.close()
        return Trained(run)

    return go


@pytest.mark.parametrize("aligner", ["frozen", "lora"])
def test_losses_are_those_without_a_cache_and_later_epochs_run_no_tower(
    trained: Callable[..., Trained], aligner: str
):
    # Trained mergers run behind the tower, not within it, and so draw other masks.
    dropout = 0.1 if aligner == "frozen" else 0.0
    tune = (f"tune.aligner={aligner}", f"tune.dropout={dropout}")
    without = trained("model.vision_cache=off", *tune)
    kept = trained("model.vision_cache=memory", *tune)
    disk = trained("model.vision_cache=disk", *tune)
    again = trained("model.vision_cache=disk", *tune)
    assert kept.losses() == pytest.approx(without.losses(), abs=1e-5)
    assert disk.losses() == kept.losses()
    assert again.losses() == kept.losses()
    images = [step.images for step in kept.of(Step)]
    assert sum(kept.hits()[:12]) == 0
    assert kept.hits()[12:] == images[12:]
    assert again.hits() == images  # the first run left them on the disk
    assert any("images of earlier runs" in message for message in again.told())
    assert "pictures were read back" in kept.told()[-1]


def test_batches_that_were_read_ahead_of_their_pictures_need_no_tower_either(
    trained: Callable[..., Trained],
):
    options = ("data.train_samples=8", "training.max_steps=4", "evaluation.at_end=false")
    run = trained("model.vision_cache=memory", "data.workers=1", *options)
    images = [step.images for step in run.of(Step)]
    assert run.hits() == [0, 0, *images[2:]]  # two steps an epoch; five batches are asked for ahead


def test_where_nothing_is_kept_by_choice_nothing_more_is_said_of_it(
    trained: Callable[..., Trained],
):
    run = trained("model.vision_cache=auto", "training.max_steps=2", "evaluation.at_end=false")
    assert run.told() == ["nothing is kept: in one epoch every picture is seen once"]


@pytest.mark.parametrize("packing", ["pack", "group"])
def test_kept_pictures_are_laid_out_as_if_they_were_there(
    trained: Callable[..., Trained], packing: str
):
    options = (f"batch.packing={packing}", "training.max_steps=16", "evaluation.every_steps=8")
    without = trained("model.vision_cache=off", *options)
    kept = trained("model.vision_cache=memory", *options)
    assert kept.losses() == pytest.approx(without.losses(), abs=1e-5)
    assert [it.padding_share for it in kept.of(Step)] == [
        it.padding_share for it in without.of(Step)
    ]
    assert sum(kept.hits()[12:]) == sum(step.images for step in kept.of(Step)[12:])


def test_a_kept_picture_is_neither_decoded_nor_taken_from_a_record_that_changed(
    trained: Callable[..., Trained],
):
    setup = trained("model.vision_cache=memory").setup
    with setup.pool:
        (batch,) = setup.pool.batches([Request("train", (0, 1), 0)])
        (pixels,) = setup.pool.batches([Request("train", (0, 1), 0, pixels=True)])
    assert batch.patches is None
    assert batch.patched == (False,) * batch.images
    assert batch.features.keys() == set(batch.image_keys)
    assert pixels.patches is not None
    assert pixels.image_keys == batch.image_keys
    assert torch.equal(batch.input_ids, pixels.input_ids)
    assert pixels.image_grid_thw is not None
    assert batch.image_grid_thw is not None
    assert torch.equal(batch.image_grid_thw, pixels.image_grid_thw)


def test_a_shard_that_breaks_changes_no_number(
    trained: Callable[..., Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(disk_features, "SHARD_BYTES", 200_000)
    whole = trained("model.vision_cache=disk")
    shards = list((tmp_path / "cache").rglob("*.safetensors"))
    assert len(shards) > 2
    for shard in shards[1:]:
        content = bytearray(shard.read_bytes())
        content[-20] ^= 255  # the header is whole, so the start does not see it
        shard.write_bytes(content)
    damaged = trained("model.vision_cache=disk", "data.workers=1")
    assert damaged.losses() == whole.losses()
    assert sum("computed anew" in message for message in damaged.told()) == len(shards) - 1
    assert 0 < sum(damaged.hits()[:12]) < sum(step.images for step in damaged.of(Step)[:12])


def test_a_disk_that_cannot_be_used_turns_the_cache_off_and_ends_no_run(
    trained: Callable[..., Trained], tmp_path: Path
):
    expected = trained("model.vision_cache=memory").losses()
    (tmp_path / "cache" / build_vision_cache.FOLDER).write_text("in the way")
    run = trained("model.vision_cache=disk")
    assert run.losses() == expected
    assert "nothing is kept" in run.told()[0]
    assert sum(run.hits()) == 0


def test_a_full_memory_keeps_what_it_has_and_says_so(trained: Callable[..., Trained]):
    run = trained("model.vision_cache=memory", "model.vision_cache_bytes=200000")
    assert run.losses() == trained("model.vision_cache=memory").losses()
    (message,) = [it for it in run.told() if "no room" in it]
    assert "images" in message
    images = sum(step.images for step in run.of(Step)[12:])
    assert 0 < sum(run.hits()[12:]) < images


def test_auto_keeps_small_data_in_memory_and_says_why(trained: Callable[..., Trained]):
    run = trained("model.vision_cache=auto", "model.vision_cache_bytes=100000000")
    assert run.losses() == trained("model.vision_cache=memory").losses()
    message = run.told()[0]
    assert message.startswith("kept in memory: about")
    assert "the tower takes" in message
    assert sum(run.hits()[12:]) > 0


@pytest.mark.parametrize("disk_is_fast", [True, False])
def test_auto_lets_a_fast_disk_take_what_memory_has_no_room_for(
    trained: Callable[..., Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    disk_is_fast: bool,
):
    seconds = 0.0 if disk_is_fast else 1e6
    monkeypatch.setattr(cache_choice, "disk_seconds", lambda *_: seconds)
    run = trained("model.vision_cache=auto", "model.vision_cache_bytes=300000")
    assert "kept in memory up to 300 kB" in run.told()[0]
    assert ("and on disk up to" in run.told()[0]) == disk_is_fast
    assert bool(list((tmp_path / "cache").rglob("*.safetensors"))) == disk_is_fast
    assert run.losses() == trained("model.vision_cache=memory").losses()


def test_auto_keeps_nothing_where_the_tower_is_as_fast_as_reading(
    trained: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cache_choice, "WORTH_IT", 0.0)
    run = trained("model.vision_cache=auto", "training.max_steps=14")
    assert "nothing is kept" in run.told()[0]
    assert len(run.losses()) == 14


def test_the_disk_is_timed_past_the_page_cache(tmp_path: Path):
    disk = disk_features.DiskFeatures(tmp_path, "a" * 64)
    features = torch.zeros(4, 64, 128, dtype=torch.bfloat16)
    assert cache_choice.disk_seconds(disk, features) > 0
    disk.close()
    assert [path.name for path in disk.folder.iterdir()] == ["in-use"]


def test_auto_keeps_nothing_in_a_single_epoch_or_of_pictures_that_change(
    trained: Callable[..., Trained],
):
    short = trained("model.vision_cache=auto", "training.max_steps=3")
    assert "every picture is seen once" in short.told()[0]
    assert sum(short.hits()) == 0
    changing = trained("training.max_steps=3", "data.augmentation.ops=[{name: flip}]")
    learning = trained("training.max_steps=3", "tune.vision=lora")
    for run in (changing, learning):
        assert run.setup.forward.vision is None
        assert "vision_cache_hits" not in run.of(Step)[0].further
        assert "cannot keep" in run.told()[0]


@pytest.mark.parametrize("option", ["tune.vision=lora", "data.augmentation.ops=[{name: flip}]"])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_cache_of_pictures_that_change_is_refused(option: str, where: str):
    with pytest.raises(ConfigError, match="set it to auto"):
        load_config(
            "balanced",
            ["model.path=/m", "data.train=a.jsonl", f"model.vision_cache={where}", option],
        )


def test_operations_of_the_tower_are_not_counted_where_it_did_not_run(
    trained: Callable[..., Trained],
):
    def flops(steps: int, cache: str) -> int:
        options = (f"model.vision_cache={cache}", f"training.max_steps={steps}")
        return trained(*options).setup.efficiency.spent.model_flops

    once, without = flops(12, "memory"), flops(12, "off")
    assert once == without
    assert once < flops(24, "memory") < 2 * once


@pytest.mark.parametrize("aligner", ["frozen", "lora"])
def test_mergers_that_are_trained_are_counted_also_for_kept_pictures(
    tiny_checkpoint: Path, aligner: str
):
    cost = training_cost(load(tiny_checkpoint, {"aligner": aligner}))
    assert cost is not None
    grids = [(1, 4, 6), (1, 8, 8)]
    tower = replace(cost.extent([], grids, 0), visual_tokens=0)
    whole = cost.flops(cost.extent([30], grids, 9)).model
    kept = cost.flops(cost.extent([30], [], 9) + cost.merged_again(grids)).model
    mergers = cost.vision.visual_tokens * 22 if aligner == "frozen" else 0
    assert whole - kept == cost.vision.cost(tower) + mergers


def test_a_container_limit_bounds_what_is_free(tmp_path: Path):
    assert free_memory_bytes(tmp_path) > 0
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert free_memory_bytes(tmp_path) == 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_bytes(tmp_path) > 3_000_000


RESUMED = (
    *COMMON,
    *("tune.aligner=lora", "tune.dropout=0.1", "data.workers=2", "checkpoint.every_steps=4"),
    *("training.max_steps=18", "evaluation.generated_samples=0"),
)


@pytest.mark.slow
def test_a_run_resumes_with_the_same_numbers_whatever_is_left_of_its_cache(
    make_run: Callable, tmp_path: Path
):
    whole = make_run("whole", *RESUMED, "model.vision_cache=memory")
    whole.finish()
    killed = make_run("killed", *RESUMED, "model.vision_cache=memory")
    killed.kill_at(lambda run: run.last_step() >= 5)
    config = killed.layout.config.read_text()
    assert "vision_cache: memory" in config
    killed.layout.config.write_text(config.replace("vision_cache: memory", "vision_cache: disk"))
    killed.stop_at(lambda run: run.last_step() >= 14)
    shards = list((tmp_path / "cache").rglob("*.safetensors"))
    assert shards
    shards[0].unlink()
    killed.finish()
    assert killed.losses() == whole.losses()
    assert next(event.step for event in killed.of(Resumed)) >= 4
    (adapter,) = whole.layout.final.rglob("*.safetensors")
    (same,) = killed.layout.final.rglob("*.safetensors")
    assert same.read_bytes() == adapter.read_bytes()
