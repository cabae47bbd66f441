"""Where records lie, found once and read one at a time."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.config.schema import DataConfig
from trainer.data import scan
from trainer.data.check import check_data
from trainer.data.errors import DataChanged, DataError
from trainer.data.index import Dataset, FileIndex, index_file


def indexed(path: Path, content: bytes, max_array_bytes: int = 2**20) -> FileIndex:
    path.write_bytes(content)
    return index_file(path, cache_dir=path.parent / "cache", max_array_bytes=max_array_bytes)


def lines_of(index: FileIndex) -> list[bytes]:
    return [index.read(record) for record in range(index.records)]


@pytest.mark.parametrize(
    ("content", "lines", "numbers"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], [1, 2]),
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}'], [1, 2]),
        (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}\r', b'{"b":2}\r'], [1, 2]),
        (b'\xef\xbb\xbf{"a":1}\n', [b'{"a":1}'], [1]),
        (b'\n\n{"a":1}\n \t\r\n\n{"b":2}\n\n', [b'{"a":1}', b'{"b":2}'], [3, 6]),
        (b'\xef\xbb\xbf\n{"a":1}', [b'{"a":1}'], [2]),
        (b"", [], []),
        (b"\xef\xbb\xbf", [], []),
        (b"\n \n", [], []),
        (b'  {"a":1}\n', [b'  {"a":1}'], [1]),
    ],
)
def test_blank_lines_and_a_byte_order_mark_are_no_records(
    tmp_path: Path, content: bytes, lines: list[bytes], numbers: list[int]
):
    index = indexed(tmp_path / "d.jsonl", content)
    assert lines_of(index) == lines
    assert [index.source(record).line for record in range(index.records)] == numbers
    for record, line in enumerate(lines):
        assert content[index.source(record).offset :].startswith(line)
    assert index.sha256 == hashlib.sha256(content).hexdigest()


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(st.sampled_from([b"", b" ", b"\t \r", b"{}", b" x", b"yy\r", b"z" * 20])),
    ends=st.booleans(),
    mark=st.booleans(),
    block=st.integers(4, 40),
)
def test_lines_are_found_whatever_the_borders_of_the_blocks(
    lines: list[bytes], ends: bool, mark: bool, block: int, tmp_path_factory: pytest.TempPathFactory
):
    content = b"\xef\xbb\xbf" * mark + b"\n".join(lines) + b"\n" * ends
    path = tmp_path_factory.getbasetemp() / "blocks.jsonl"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch, path.open("rb", buffering=0) as file:
        patch.setattr(scan, "BLOCK_BYTES", block)
        found = scan.scan_file(file, len(content))
    expected = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert found.newlines.tolist() == [i for i, byte in enumerate(content) if byte == 10]
    assert found.blank_lines.tolist() == [i for i, line in enumerate(expected) if not line.strip()]
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.first == 3 * mark


def test_an_array_is_as_good_as_lines(tmp_path: Path):
    records = [{"text": 'é 日本 [,]{}"\\'}, {"text": ""}, {"n": [1, {"x": []}]}]
    content = json.dumps(records, indent=1, ensure_ascii=False).encode()
    index = indexed(tmp_path / "d.json", b"\xef\xbb\xbf \n" + content)
    assert [json.loads(line) for line in lines_of(index)] == records
    assert [index.source(record).line for record in range(3)] == [3, 6, 9]
    again = index_file(tmp_path / "d.json", cache_dir=tmp_path / "cache")
    assert again.cached
    assert lines_of(again) == lines_of(index)


@pytest.mark.parametrize("content", [b"[]", b" [ ] \n"])
def test_an_empty_array_has_no_records(tmp_path: Path, content: bytes):
    assert indexed(tmp_path / "d.json", content).records == 0


@pytest.mark.parametrize(
    "content", [b'[{"a":1}', b'[{"a":1},]', b'[{"a":1}] x', b'[{"a":1} {"b":2}]', b"[" * 100_000]
)
def test_a_broken_array_is_refused_with_its_place(tmp_path: Path, content: bytes):
    with pytest.raises(DataError, match=r"d\.json: .* at byte \d+"):
        indexed(tmp_path / "d.json", content)


def test_a_large_array_is_refused_with_the_way_out(tmp_path: Path):
    with pytest.raises(DataError, match=r"convert it to JSONL \(qvl data convert\)"):
        indexed(tmp_path / "d.json", b"[" + b"1," * 1000 + b"1]", max_array_bytes=1024)


def test_the_second_start_uses_the_index_of_the_first(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    first = indexed(path, b"\n1\n\n22\n333")
    second = index_file(path, cache_dir=tmp_path / "cache")
    assert (first.cached, second.cached) == (False, True)
    assert lines_of(second) == lines_of(first) == [b"1", b"22", b"333"]
    assert second.source(1) == first.source(1)
    assert second.sha256 == first.sha256


def test_a_changed_file_is_indexed_anew_even_with_its_old_size_and_time(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    indexed(path, b"11\n")
    status = path.stat()
    path.write_bytes(b"1\n1")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = index_file(path, cache_dir=tmp_path / "cache")
    assert not changed.cached
    assert lines_of(changed) == [b"1", b"1"]


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_broken_cache_is_rebuilt(tmp_path: Path, damage: bytes | None):
    path = tmp_path / "d.jsonl"
    indexed(path, b"1\n2\n")
    (stored,) = (tmp_path / "cache").iterdir()
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(bytes(content) if damage is None else damage)
    again = index_file(path, cache_dir=tmp_path / "cache")
    assert lines_of(again) == [b"1", b"2"]
    assert index_file(path, cache_dir=tmp_path / "cache").cached


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_the_next_start(tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert lines_of(indexed(tmp_path / "d.jsonl", b"1\n")) == [b"1"]


def test_a_file_truncated_while_it_is_read_is_an_error_that_says_so(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    index = indexed(path, b"1\n" + b"2" * 10_000 + b"\n")
    assert index.read(0) == b"1"
    os.truncate(path, 100)
    with pytest.raises(DataChanged, match=r"d\.jsonl: it had 10003 bytes .* now it has 100"):
        index.read(1)


def test_a_file_rewritten_in_place_is_an_error(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    index = indexed(path, b"1\n2\n")
    index.read(0)
    with path.open("r+b") as file:
        file.write(b"9")
    with pytest.raises(DataChanged, match="written to since"):
        index.read(1)


def test_an_index_sent_to_another_process_opens_the_file_anew_and_checks_it(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    index = indexed(path, b"1\n2\n")
    index.read(0)
    copy = pickle.loads(pickle.dumps(index))
    late = pickle.loads(pickle.dumps(index))
    assert copy.read(1) == b"2"
    path.unlink()
    assert copy.read(0) == b"1"
    with pytest.raises(DataChanged, match="No such file"):
        late.read(1)


def test_a_file_is_closed_with_its_index(tmp_path: Path):
    open_files = Path("/proc/self/fd")
    index = indexed(tmp_path / "d.jsonl", b"{}\n")
    before = len(list(open_files.iterdir()))
    index.read(0)
    assert len(list(open_files.iterdir())) == before + 1
    del index
    assert len(list(open_files.iterdir())) == before


def test_several_files_are_one_row_of_records(tmp_path: Path):
    files = [
        indexed(tmp_path / f"{i}.jsonl", content)
        for i, content in enumerate([b"\na\n\nb", b"", b"ccc\n"])
    ]
    dataset = Dataset(tuple(files))
    assert [dataset.read(record) for record in range(len(dataset))] == [b"a", b"b", b"ccc"]
    assert dataset.source(2).file.endswith("2.jsonl")
    sizes = [dataset.record_bytes(record) for record in range(len(dataset))]
    assert np.concatenate([file.table.sizes() for file in files]).tolist() == sizes
    sizes = [dataset.record_bytes(number) for number in range(len(dataset))]
    assert dataset.sizes().tolist() == sizes
    assert Dataset(tuple(files), limit=2).sizes().tolist() == sizes[:2]
    assert len(Dataset(tuple(files), limit=2)) == 2
    assert dataset.sha256 != Dataset(tuple(reversed(files))).sha256


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b"PAR1", "Parquet"),
    ],
)
def test_foreign_formats_are_named(tmp_path: Path, content: bytes, what: str):
    with pytest.raises(DataError, match=what):
        indexed(tmp_path / "d.jsonl", content)


def test_a_missing_file_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", ""):
        with pytest.raises(DataError, match=r"check the path|regular file"):
            index_file(tmp_path / name, cache_dir=tmp_path / "cache")


def test_memory_stays_constant_while_a_file_is_indexed(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(b'{"a":"' + b"x" * 2**20 + b'"}\n')
    script = (
        "import resource, sys; from trainer.data.index import index_file; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak(); "
        "index = index_file(sys.argv[1], cache_dir=sys.argv[2]); "
        "[index.read(i) for i in range(index.records)]; print((peak() - before) // 1024)"
    )
    arguments = [sys.executable, "-c", script, str(path), str(tmp_path / "cache")]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 40


def test_a_dense_file_costs_eight_bytes_a_line(tmp_path: Path):
    index = indexed(tmp_path / "d.jsonl", b"1\n" * 100_000)
    assert index.records == 100_000
    assert isinstance(index.table.newlines, np.ndarray)  # type: ignore[attr-defined]
    assert index.table.newlines.nbytes == 800_000  # type: ignore[attr-defined]


GOOD = b'{"messages":[{"role":"user","content":"q"}],"response":"a"}'


@pytest.mark.parametrize(
    "content", [GOOD, b"\xef\xbb\xbf\n" + GOOD + b"\n", b"[" + GOOD + b"]", b"broken\n" + GOOD]
)
def test_good_data_passes_the_check(tmp_path: Path, content: bytes):
    (tmp_path / "d").write_bytes(content)
    check_data(DataConfig(train=(str(tmp_path / "d"),)))


def test_a_line_over_the_limit_is_passed_over_by_the_check(tmp_path: Path):
    (tmp_path / "d").write_bytes(b"x" * 5_000_000 + b"\n" + GOOD)
    check_data(DataConfig(train=(str(tmp_path / "d"),), max_line_bytes=1024))


def test_a_long_first_element_of_an_array_passes_the_check(tmp_path: Path):
    record = {"messages": [{"role": "user", "content": "é" * 2_000_000}], "response": "a"}
    (tmp_path / "d").write_text(json.dumps([record, record], ensure_ascii=False))
    check_data(DataConfig(train=(str(tmp_path / "d"),)))


def test_the_check_lists_every_problem(tmp_path: Path):
    contents = {"empty": b"", "blank": b"\n\n", "wrong": b'{"chapters":[]}\n', "array": b"[]"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = [*contents, "missing"]
    with pytest.raises(DataError) as refused:
        check_data(DataConfig(train=tuple(str(tmp_path / name) for name in names)))
    problems = str(refused.value).splitlines()
    assert len(problems) == 5
    assert "no `messages`, `prompt` or `text`, only `chapters`" in problems[2]
    assert "there is no such file" in problems[4]


def test_the_check_refuses_a_broken_record_when_those_are_refused(tmp_path: Path):
    (tmp_path / "d").write_bytes(b"broken\n" + GOOD)
    with pytest.raises(DataError, match=r"d:1 \(byte 0\): broken JSON"):
        check_data(DataConfig(train=(str(tmp_path / "d"),), bad_records="refuse"))


def test_the_check_loads_neither_torch_nor_transformers():
    script = "import sys, trainer.data.check; print({'torch', 'transformers'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
