from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from trainer.cli.moved_data import moved_data
from trainer.config.differences import resume_conflicts
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.run.layout import RunLayout

RECORD = b'{"messages": [{"role": "user", "content": "1+1?"}], "response": "2"}\n'


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    """A run that was trained on two records of train.jsonl, and not validated."""
    train = tmp_path / "train.jsonl"
    train.write_bytes(RECORD * 2)
    file = {"file": str(train), "sha256": sha256(RECORD * 2).hexdigest()}
    layout = RunLayout(tmp_path)
    layout.data.write_bytes(orjson.dumps({"files": {"train": [file], "validation": []}}))
    return layout


def config_of(layout: RunLayout, *names: str) -> RunConfig:
    files = ", ".join(str(layout.root / name) for name in names)
    overrides = ["model.path=m", f"data.train=[{files}]", f"data.cache_dir={layout.root}/cache"]
    return load_config("balanced", overrides, files_must_exist=False)


def test_data_that_moved_is_proven_by_its_content(layout: RunLayout):
    before, after = config_of(layout, "train.jsonl"), config_of(layout, "moved.jsonl")
    (layout.root / "train.jsonl").rename(layout.root / "moved.jsonl")
    moved = moved_data(layout, before, after)
    assert moved == {"data.train"}
    assert resume_conflicts(before, after)
    assert not resume_conflicts(before, after, proven_equal=moved)


def test_data_of_another_content_or_number_of_files_is_not(layout: RunLayout):
    before, after = config_of(layout, "train.jsonl"), config_of(layout, "moved.jsonl")
    (layout.root / "moved.jsonl").write_bytes(RECORD * 3)
    assert not moved_data(layout, before, after)
    assert not moved_data(layout, before, config_of(layout, "train.jsonl", "moved.jsonl"))


def test_nothing_is_read_where_nothing_moved_and_nothing_proven_without_a_record(
    layout: RunLayout,
):
    before = config_of(layout, "train.jsonl")
    (layout.root / "train.jsonl").rename(layout.root / "moved.jsonl")
    assert not moved_data(layout, before, before)
    layout.data.unlink()
    assert not moved_data(layout, before, config_of(layout, "moved.jsonl"))
