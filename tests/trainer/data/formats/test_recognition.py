"""A file's format is that of its records, and one that is named is taken at its word."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from trainer.config.schema import DataConfig
from trainer.data.errors import RecordError
from trainer.data.index import Dataset, index_file
from trainer.data.reading import Records

PLAIN = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
SWIFT = {
    "messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "a"}],
    "images": ["a.png"],
}


def records_of(folder: Path, *values: Any, **options: Any) -> Records:
    path = folder / "train.jsonl"
    path.write_bytes(b"\n".join(it if isinstance(it, bytes) else orjson.dumps(it) for it in values))
    dataset = Dataset((index_file(path, cache_dir=folder / "cache"),))
    return Records.of(dataset, DataConfig(train=(str(path),), **options))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([PLAIN], "native"),
        ([PLAIN, SWIFT], "swift"),
        ([b"{broken", b"", PLAIN, SWIFT], "swift"),
        ([{"text": "t"}], "native"),
        ([{"prompt": "p", "response": "r"}], "native"),
        ([{"prompt": "p", "completion": "r"}], "instruction"),
        ([{"prompt": "p", "response": "r", "image": "a.png"}], "instruction"),
        ([{"question": "q", "context": "c", "answer": "a", "text": "t"}], "instruction"),
        ([{"image": "a.png", "summary": "s"}], "dense"),
        ([{"images": ["a.png"], "objects": []}], "dense"),
        ([{"conversations": []}], "llava"),
        ([b"{broken"], "native"),
        ([], "native"),
    ],
)
def test_a_file_is_recognised_by_its_records(tmp_path: Path, values: list[Any], name: str):
    assert records_of(tmp_path, *values).formats[0].name == name


def test_images_far_down_in_a_file_of_texts_are_seen(tmp_path: Path):
    records = records_of(tmp_path, *[PLAIN] * 500, *[SWIFT] * 500)
    assert records.formats[0].name == "swift"
    assert records[700].images == ("a.png",)  # type: ignore[union-attr]


def test_a_record_of_another_format_is_an_error_with_its_place(tmp_path: Path):
    records = records_of(tmp_path, PLAIN, {"conversations": []}, PLAIN)
    with pytest.raises(RecordError, match="it looks like llava, the file like native") as refused:
        records[1]
    assert refused.value.source.line == 2
    assert records[2].source.line == 3


def test_a_named_format_is_taken_at_its_word(tmp_path: Path):
    records = records_of(tmp_path, PLAIN, format="swift")
    assert records.formats[0].name == "swift"


def test_every_file_has_a_format_of_its_own(tmp_path: Path):
    files = []
    for number, value in enumerate([PLAIN, {"image": "a.png", "objects": [], "summary": "s"}]):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"\n".join([orjson.dumps(value)] * 3))
        files.append(index_file(path, cache_dir=tmp_path / "cache"))
    records = Records.of(Dataset(tuple(files), limit=5), DataConfig(train=("a",)))
    assert [it.name for it in records.formats] == ["native", "dense"]
    assert list(records.numbers_of("dense")) == [range(3, 5)]
