"""A validation file that shares nothing with what is trained."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.convert import Reading
from trainer.data.errors import DataError
from trainer.data.split import Share, SplitDone, split, split_names


def text(number: int) -> dict[str, Any]:
    return {"text": f"record {number}"}


def done(path: Path, share: Share, *, force: bool = False) -> SplitDone:
    return split(path, share, Reading(), force=force, progress=lambda *_: None)


def file_of(folder: Path, values: list[Any]) -> Path:
    path = folder / "all.jsonl"
    path.write_bytes(b"".join(orjson.dumps(value) + b"\n" for value in values))
    return path


def sides(path: Path) -> list[list[bytes]]:
    return [name.read_bytes().splitlines() for name in split_names(path)]


def test_every_record_is_on_one_side_unchanged_and_in_order(tmp_path: Path):
    path = file_of(tmp_path, [text(number) for number in range(100)])
    found = done(path, Share(share=0.1, seed=3))
    train, validation = sides(path)
    assert (found.train, found.validation, found.repeated) == (90, 10, 0)
    lines = path.read_bytes().splitlines()
    assert [line for line in lines if line in set(train)] == train
    assert [line for line in lines if line in set(validation)] == validation
    assert sorted(train + validation) == sorted(lines)


def test_the_draw_depends_on_seed_and_content_alone(tmp_path: Path):
    values = [text(number) for number in range(50)]
    path = file_of(tmp_path, values)
    done(path, Share(records=7, seed=1))
    first = sides(path)[1]
    done(path, Share(records=7, seed=2), force=True)
    assert sides(path)[1] != first
    file_of(tmp_path, values[::-1])
    done(path, Share(records=7, seed=1), force=True)
    assert sides(path)[1] == first[::-1]


@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=40),
    st.integers(1, 10),
    st.integers(0, 2**63),
)
def test_no_content_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], wanted: int, seed: int
):
    path = file_of(tmp_path_factory.mktemp("split"), [text(number) for number in numbers])
    try:
        found = done(path, Share(records=wanted, seed=seed))
    except DataError:
        return
    train, validation = sides(path)
    assert not set(train) & set(validation)
    assert len(validation) == found.validation <= wanted
    assert found.repeated == len(numbers) - len(set(numbers))


def test_the_same_content_in_other_words_of_json_is_a_copy(tmp_path: Path):
    path = tmp_path / "all.jsonl"
    path.write_bytes(
        b'{"messages": [{"role": "user", "content": "q"}], "response": "r"}\n'
        b'{"response":"r",  "messages": [{"content": "q", "role": "user"}]}\n'
        b'{"text":"t"}'
    )
    found = done(path, Share(records=1))
    assert (found.repeated, found.validation) == (1, 1)
    assert sides(path)[1] == [b'{"text":"t"}']


def test_broken_records_are_on_neither_side_and_named(tmp_path: Path):
    path = tmp_path / "all.jsonl"
    path.write_bytes(b'{"text": "a"}\n{broken\n{"text": "b"}\n')
    found = done(path, Share(records=1))
    assert [problem.source.line for problem in found.read.problems] == [2]
    assert sum(map(len, sides(path))) == 2


@pytest.mark.parametrize(
    ("values", "share", "what"),
    [
        ([text(1), text(2)], Share(records=2), "leave none to train on"),
        ([text(1)] * 3, Share(records=2), "repeat too often"),
        ([], Share(), "no record could be read"),
        ([3], Share(), "no record could be read; the first: .*a number instead of an object"),
    ],
)
def test_a_file_that_cannot_be_split_leaves_nothing_behind(
    tmp_path: Path, values: list[Any], share: Share, what: str
):
    path = file_of(tmp_path, values)
    with pytest.raises(DataError, match=what):
        done(path, share)
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_there_are_kept_unless_forced(tmp_path: Path):
    path = file_of(tmp_path, [text(number) for number in range(5)])
    done(path, Share(records=1))
    with pytest.raises(DataError, match=r"exists already.*--force"):
        done(path, Share(records=2))
    assert done(path, Share(records=2), force=True).validation == 2
