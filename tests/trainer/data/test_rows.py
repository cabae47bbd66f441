"""Records streamed out of the containers people keep them in."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from tests.trainer.data.formats.samples import SAMPLES
from trainer.data.errors import DataError
from trainer.data.rows.json_values import JsonText, go_to_data, rows_of_array
from trainer.data.rows.lines import rows_of_lines
from trainer.data.rows.open import HubSplit, open_rows
from trainer.data.rows.row import Row
from trainer.data.scan import BLOCK_BYTES

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def rows_of(path: Path, limit: int = 2**20) -> list[Row]:
    with open_rows(str(path), HubSplit(), limit) as rows:
        return list(rows.rows)


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@given(
    st.lists(json_values, max_size=5),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from(["[", '{"version": {"a": [1]}, "data": [']),
)
def test_the_elements_of_an_array_are_found_where_they_lie(
    values: list[Any], indent: int | None, bom: bool, opening: str
):
    inside = json.dumps(values, indent=indent, ensure_ascii=False)[1:-1]
    closing = "]" if opening == "[" else '], "more": 3}'
    content = b"\xef\xbb\xbf" * bom + (opening + inside + closing).encode("utf-8", "surrogatepass")
    text = JsonText(Path("a.json"), BytesIO(content), 2**20)
    if opening != "[":
        assert go_to_data(text)
    rows = list(rows_of_array(text))
    assert [json.loads(row.line.decode("utf-8", "surrogatepass")) for row in rows] == values
    for row in rows:
        assert content[row.source.offset :].startswith(row.line)
        assert row.source.line == content.count(b"\n", 0, row.source.offset) + 1


def test_an_array_larger_than_its_window_is_read_to_the_end(tmp_path: Path):
    values = [{"text": f"{number} " + "x" * 300_000} for number in range(12)]
    path = written(tmp_path, "a.json", json.dumps({"data": values}).encode())
    assert [orjson.loads(row.line) for row in rows_of(path)] == values


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'[{"a": 1}', "the end of the file instead of ']'"),
        (b'[{"a": 1} {"b": 2}]', "'{' instead of ']'"),
        (b'[{"a": }]', "broken JSON at byte"),
        (b"[" * 200_000, "broken JSON"),
        (b'[{"a": "' + b"x" * 3_000_000 + b'"}]', "a value of more than 1048576 bytes"),
    ],
)
def test_a_broken_array_is_said_to_be(tmp_path: Path, content: bytes, what: str):
    with pytest.raises(DataError, match=what):
        rows_of(written(tmp_path, "a.json", content))


def test_lines_are_lines_whatever_the_name_of_the_file(tmp_path: Path):
    path = written(tmp_path, "a.json", b'{"text": "a"}\r\n\n{"text": "b"}')
    assert [row.source.line for row in rows_of(path)] == [1, 3]


def test_a_line_over_the_limit_is_counted_and_passed_over():
    content = b"\xef\xbb\xbf" + b"a" * 40 + b"\n \t\r\nb\n" + b"c" * 11
    rows = list(rows_of_lines(Path("a"), BytesIO(content), 10))
    assert [row.problem is None for row in rows] == [False, True, False]
    assert "a record of 40 bytes, data.max_line_bytes is 10" in str(rows[0].problem)
    assert [(row.source.line, row.source.offset) for row in rows] == [(1, 0), (3, 48), (4, 50)]


def test_cells_of_a_csv_file_are_located_and_checked(tmp_path: Path):
    content = b'question,answer\nq,"two\nlines"\nq\nq,a,b\nq,\xff\n'
    rows = rows_of(written(tmp_path, "a.csv", content))
    assert [row.source.line for row in rows] == [2, 4, 5, 6]
    assert orjson.loads(rows[0].line) == {"question": "q", "answer": "two\nlines"}
    reasons = [str(row.problem) for row in rows[1:]]
    assert "fewer cells" in reasons[0]
    assert "more cells" in reasons[1]
    assert "not UTF-8" in reasons[2]


def test_tabs_and_lists_in_cells_are_understood(tmp_path: Path):
    content = b'messages\timages\n[{"role":"user"}]\t["a.png"]\n'
    (row,) = rows_of(written(tmp_path, "a.tsv", content))
    assert orjson.loads(row.line) == {"messages": [{"role": "user"}], "images": ["a.png"]}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"", "it has no header"),
        ("a.csv", b'a,b\n"x', "broken CSV"),
        ("a.parquet", b"PAR1 nothing", "no Parquet file can be read"),
        ("a.jsonl", b"\x1f\x8b..", "compressed with gzip"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, what: str):
    with pytest.raises(DataError, match=what):
        rows_of(written(tmp_path, name, content))


def test_text_of_a_parquet_file_that_is_no_utf_8_is_refused(tmp_path: Path):
    path = tmp_path / "train.parquet"
    text = pyarrow.array([b"What?", b"\xd7"], pyarrow.binary()).view(pyarrow.string())
    write_table(pyarrow.table({"question": text, "answer": ["a", "b"]}), path)
    with pytest.raises(DataError, match="broken Parquet"):
        rows_of(path)


def test_pictures_in_a_parquet_file_become_data_uris():
    first, second = (orjson.loads(row.line) for row in rows_of(SAMPLES / "instruction.parquet"))
    assert first["image"]["bytes"].startswith("data:image/png;base64,iVBOR")
    assert "image" not in second


def test_a_folder_is_read_as_the_hub_would_be(tmp_path: Path):
    (tmp_path / "train.parquet").write_bytes((SAMPLES / "instruction.parquet").read_bytes())
    with open_rows(f"hub:{tmp_path}", HubSplit(), 2**20) as rows:
        values = [orjson.loads(row.line) for row in rows.rows]
    assert [value["question"] for value in values] == ["Which colour?", "And?"]


@pytest.mark.parametrize("before", [4, 3, 2, 1])
def test_a_number_at_the_edge_of_the_window_is_read_whole(tmp_path: Path, before: int):
    content = b"[" + b" " * (BLOCK_BYTES - before) + b"12345]"
    assert [row.line for row in rows_of(written(tmp_path, "a.json", content))] == [b"12345"]
