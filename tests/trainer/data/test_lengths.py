"""The length table holds what samples take, comes from the cache, and goes on where it stopped."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.conftest import Load
from trainer.config.schema import DataConfig
from trainer.data import shards
from trainer.data.errors import RecordError
from trainer.data.index import Dataset, index_file
from trainer.data.lengths import LengthTable, length_table
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records

Write = Callable[..., Path]


def a_record(number: int, image: str | None = None) -> dict[str, Any]:
    images = [{"type": "image", "image": image}] if image else []
    text = {"type": "text", "text": f"Number {number}?" * (1 + number % 5)}
    return {"messages": [{"role": "user", "content": [*images, text]}], "response": str(number)}


def opened(path: Path, preprocessing: Preprocessing, cache: Path) -> Records:
    data = DataConfig(train=(str(path),), cache_dir=str(cache))
    files = (index_file(path, cache_dir=cache),)
    options = preprocessing.options.model_copy(update={"cache_dir": data.cache_dir})
    return Records.of(Dataset(files), options)


def of_samples(records: Records, preprocessing: Preprocessing) -> np.ndarray:
    """Tokens, patches and target tokens of every sample, int (N, 3)."""
    rows = []
    for number in range(len(records)):
        try:
            sample = preprocessing.encode(records[number])
        except RecordError:
            rows.append((0, 0, 0))
            continue
        patches = 0 if sample.patches is None else len(sample.patches)
        rows.append((len(sample.input_ids), patches, sample.target_tokens))
    return np.array(rows)


def as_rows(table: LengthTable) -> np.ndarray:
    return np.stack([table.tokens, table.patches, table.target_tokens], axis=1)


@pytest.fixture
def records(
    tmp_path: Path, write_jsonl: Write, load: Load, monkeypatch: pytest.MonkeyPatch
) -> tuple[Records, Preprocessing]:
    """Twenty-two records in shards of five; two of them cannot be used."""
    monkeypatch.setattr(shards, "SHARD_RECORDS", 5)
    Image.new("RGB", (100, 60), "red").save(tmp_path / "red.png")
    values = [a_record(number, "red.png" if number % 3 else None) for number in range(20)]
    path = write_jsonl([*values, a_record(20, "gone.png"), {"nothing": 1}])
    preprocessing = load("instruct")
    return opened(path, preprocessing, tmp_path / "cache"), preprocessing


def test_the_table_holds_what_samples_take(records: tuple[Records, Preprocessing]):
    data, preprocessing = records
    table = length_table(data, preprocessing.measuring())
    assert (as_rows(table) == of_samples(data, preprocessing)).all()
    assert table.tokens.dtype == np.int32
    assert (table.tokens == 0).sum() == 2


def test_processes_give_the_same_table(records: tuple[Records, Preprocessing]):
    data, preprocessing = records
    alone = length_table(data, preprocessing.measuring(), workers=0)
    other = replace(preprocessing.measuring(), decode=True)  # another identity: nothing is kept
    assert (as_rows(length_table(data, other, workers=2)) == as_rows(alone)).all()


def test_a_limit_cuts_the_table_not_the_cache(records: tuple[Records, Preprocessing]):
    data, preprocessing = records
    limited = replace(data, dataset=Dataset(data.dataset.files, limit=7))
    table = length_table(limited, preprocessing.measuring())
    assert len(table) == 7
    assert (as_rows(table) == of_samples(data, preprocessing)[:7]).all()
    looked = looked_at(data, preprocessing)
    assert looked == [10, 15, 20]


def looked_at(data: Records, preprocessing: Preprocessing) -> list[int]:
    """The first records of the shards that a new table does not find in the cache."""
    found: list[int] = []
    look = shards.ShardWork.__call__

    def watched(work: shards.ShardWork, shard: shards.Shard, /) -> shards.Found:
        made = look(work, shard)
        found.extend([shard.first] if made.fresh else [])
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards.ShardWork, "__call__", watched)
        length_table(data, preprocessing.measuring(), workers=0)
    return found


def test_interrupted_it_goes_on_from_where_it_was(records: tuple[Records, Preprocessing]):
    data, preprocessing = records

    def interrupt(done: int, _: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        length_table(data, preprocessing.measuring(), workers=0, progress=interrupt)
    assert looked_at(data, preprocessing) == [10, 15, 20]
    assert looked_at(data, preprocessing) == []


def test_a_changed_picture_is_looked_at_again(
    records: tuple[Records, Preprocessing], tmp_path: Path
):
    data, preprocessing = records
    before = length_table(data, preprocessing.measuring())
    Image.new("RGB", (300, 300), "red").save(tmp_path / "red.png")
    after = length_table(data, preprocessing.measuring())
    assert (after.patches > before.patches).sum() == 13
    assert (as_rows(after) == of_samples(data, preprocessing)).all()
    Image.new("RGB", (40, 40)).save(tmp_path / "gone.png")
    assert looked_at(data, preprocessing) == [20]


def test_other_options_or_another_file_are_measured_anew(
    records: tuple[Records, Preprocessing], load: Load, tmp_path: Path
):
    data, preprocessing = records
    length_table(data, preprocessing.measuring())
    assert len(looked_at(data, load("instruct", max_pixels=2048))) == 5
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("train.jsonl", "red.png"):
        os.link(tmp_path / name, moved / name)
    same = opened(moved / "train.jsonl", preprocessing, tmp_path / "cache")
    assert looked_at(same, preprocessing) == []
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("\n")
    changed = opened(tmp_path / "train.jsonl", preprocessing, tmp_path / "cache")
    assert len(looked_at(changed, preprocessing)) == 5


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not complete"])
def test_a_damaged_cache_is_as_good_as_none(
    records: tuple[Records, Preprocessing], tmp_path: Path, damage: bytes
):
    data, preprocessing = records
    length_table(data, preprocessing.measuring())
    for path in (tmp_path / "cache" / "shards").rglob("*.npz"):
        path.write_bytes(damage)
    assert len(looked_at(data, preprocessing)) == 5
