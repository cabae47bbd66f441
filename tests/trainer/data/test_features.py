"""Features of images are kept while there is room, and come back as they were or not at all."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from trainer.data import disk_features
from trainer.data.disk_features import DiskFeatures
from trainer.data.feature_shard import BrokenShard, read_shard, write_shard
from trainer.data.feature_store import FeatureStore
from trainer.data.memory_features import MemoryFeatures
from trainer.data.shared_folders import LOCK

Open = Callable[..., DiskFeatures]
GRID = (1, 4, 6)


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def features(number: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(4, 6, 32, generator=generator).to(dtype)  # 3,072 bytes in fp32


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr(disk_features, "SHARD_BYTES", 6_000)  # two images
    monkeypatch.setattr(disk_features, "SPARE_BYTES", 0)
    stores: list[DiskFeatures] = []

    def make(fingerprint: str = "a" * 64, limit: int | None = None) -> DiskFeatures:
        stores.append(DiskFeatures(tmp_path / "features", fingerprint, limit))
        return stores[-1]

    yield make
    for store in stores:
        close(store)


def close(store: DiskFeatures) -> None:
    try:
        store.close()
    except (OSError, RuntimeError):
        return  # it is closed


def filled(store: DiskFeatures, numbers: range) -> DiskFeatures:
    for number in numbers:
        assert store.put(key(number), GRID, features(number))
    return store


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_later_run_finds_the_very_features_on_disk(opened: Open, dtype: torch.dtype):
    store = opened()
    for number in range(5):
        store.put(key(number), (1, 2, 2 * number), features(number, dtype))
        kept = store.fetch(key(number))
        assert kept is not None
        assert torch.equal(kept, features(number, dtype))
    store.close()
    later = opened()
    assert dict(later.found()) == {key(number): (1, 2, 2 * number) for number in range(5)}
    for number in range(5):
        kept = later.fetch(key(number))
        assert kept is not None
        assert kept.dtype == dtype
        assert torch.equal(kept, features(number, dtype))
    assert later.fetch(key(9)) is None
    assert later.nbytes == 5 * features(0, dtype).nbytes


def test_another_fingerprint_finds_nothing(opened: Open):
    filled(opened("a" * 64), range(3)).close()
    assert not opened("b" * 64).found()


def damage_by_truncation(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)


def damage_by_a_flipped_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


def damage_the_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20:60] = b"}" * 40
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_by_truncation, damage_the_header, Path.unlink])
def test_a_broken_shard_is_reported_at_the_start_and_the_others_are_used(
    opened: Open, damage: Callable[[Path], None]
):
    store = filled(opened(), range(6))
    store.close()
    shards = sorted(store.folder.glob("*.safetensors"))
    broken = read_shard(shards[1])
    damage(shards[1])
    later = opened()
    assert len(later.found()) == 4
    assert not broken.keys() & dict(later.found()).keys()
    if damage is not Path.unlink:
        (problem,) = later.problems
        assert shards[1].name in problem
        assert not shards[1].exists()


@pytest.mark.parametrize(
    "damage", [damage_by_truncation, damage_by_a_flipped_bit, damage_the_header, Path.unlink]
)
def test_a_shard_that_breaks_while_it_is_in_use_gives_nothing_rather_than_something_else(
    opened: Open, damage: Callable[[Path], None]
):
    filled(opened(), range(2)).close()
    later = opened()
    (shard,) = later.folder.glob("*.safetensors")
    damage(shard)
    found = [later.fetch(key(number)) for number in range(2)]
    assert any(it is None for it in found) or damage is damage_the_header
    for number, it in enumerate(found):
        assert it is None or torch.equal(it, features(number))
    if any(it is None for it in found):
        assert shard.name in later.problems[0]
        assert later.nbytes == 0
    assert later.put(key(0), GRID, features(0))


def test_what_cannot_be_written_is_reported_and_stays_readable(opened: Open):
    store = opened()
    assert store.put(key(0), GRID, features(0))
    shutil.rmtree(store.folder)
    store.flush()
    store.flush()  # waits for the first
    assert "nothing is written there" in store.problems[0]
    kept = store.fetch(key(0))  # the data workers were told of it
    assert kept is not None
    assert torch.equal(kept, features(0))
    assert not store.put(key(2), GRID, features(2))


def test_a_folder_that_is_gone_ends_the_writing_and_no_run(opened: Open):
    store = opened()
    shutil.rmtree(store.folder)
    assert not store.put(key(0), GRID, features(0))
    assert "nothing is written there" in store.problems[0]


def test_the_limit_ends_the_keeping_and_removes_nothing_that_is_in_use(opened: Open):
    other = filled(opened("b" * 64), range(2))
    other.flush()
    other.flush()  # waits for the first
    store = opened(limit=other.nbytes + 2 * 3_072 + 1_000)
    assert [store.put(key(number), GRID, features(number)) for number in range(3)].count(True) < 3
    assert other.fetch(key(0)) is not None
    assert sorted(path.name for path in other.folder.iterdir())


def test_folders_that_nobody_uses_make_room_the_one_used_longest_ago_first(opened: Open):
    one = 0
    for age, letter in enumerate("bcd"):
        store = filled(opened(letter * 64), range(2))
        store.close()
        used = time.time() - 100 * (3 - age)
        os.utime(store.folder / LOCK, (used, used))
        one = sum(path.stat().st_size for path in store.folder.iterdir())
    store = opened(limit=3 * one)
    filled(store, range(2)).flush()
    left = {folder.name[0] for folder in store.folder.parent.iterdir()}
    assert left == {"a", "c", "d"}
    assert "b" * 32 in store.problems[0]


def test_no_room_left_on_the_disk_ends_the_keeping(opened: Open, monkeypatch: pytest.MonkeyPatch):
    store = opened()
    monkeypatch.setattr(disk_features, "SPARE_BYTES", 2**62)
    assert not store.put(key(0), GRID, features(0))
    assert len(store) == 0


def test_a_half_written_shard_of_a_dead_run_is_removed_once_it_is_old(opened: Open):
    store = filled(opened(), range(2))
    store.close()
    old, new = (store.folder / f"tmp-{name}.safetensors" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert len(opened().found()) == 2
    assert not old.exists()
    assert new.exists()


def test_a_shard_is_written_whole_or_not_at_all(tmp_path: Path):
    with pytest.raises(OSError, match="nowhere"):
        write_shard(tmp_path / "nowhere" / "a.safetensors", {key(0): (GRID, features(0))})
    write_shard(tmp_path / "a.safetensors", {key(0): (GRID, features(0))})
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    stored = read_shard(tmp_path / "a.safetensors")[key(0)]
    assert stored.grid == GRID
    for content in (b"", b"\0" * 100, b"\xff" * 100, b"\x02\0\0\0\0\0\0\0[]"):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(BrokenShard):
            read_shard(tmp_path / "b")


def test_memory_keeps_as_much_as_it_may_and_gives_nothing_up():
    memory = MemoryFeatures(2 * 3_072)
    store = FeatureStore(memory, None)
    for number in range(4):
        store.offer(key(number), GRID, features(number))
    assert [number for number in range(4) if store.fetch(key(number)) is not None] == [0, 1]
    assert store.news(0) == [(key(0), GRID), (key(1), GRID)]
    assert store.news(1) == [(key(1), GRID)]
    assert (store.turned_away, len(store), store.nbytes) == (2, 2, 2 * 3_072)


def test_the_disk_takes_what_memory_has_no_room_for(opened: Open):
    filled(opened(), range(10, 12)).close()
    store = FeatureStore(MemoryFeatures(3_072), opened())
    for number in (0, 1, 10):
        store.offer(key(number), GRID, features(number))
    told = [key for key, _ in store.news(0)]
    assert sorted(told) == sorted(map(key, (0, 1, 10, 11)))
    for number in (0, 1, 10, 11):
        kept = store.fetch(key(number))
        assert kept is not None
        assert torch.equal(kept, features(number))


def test_an_image_whose_shard_broke_is_kept_anew(opened: Open):
    filled(opened(), range(2)).close()
    store = FeatureStore(None, opened())
    assert store.disk is not None
    for shard in store.disk.folder.glob("*.safetensors"):
        damage_by_truncation(shard)
    assert [store.fetch(key(number)) is None for number in range(2)].count(True) >= 1
    for number in range(2):
        store.offer(key(number), GRID, features(number))
        kept = store.fetch(key(number))
        assert kept is not None
        assert torch.equal(kept, features(number))
    assert store.take_problems()
    assert not store.take_problems()
