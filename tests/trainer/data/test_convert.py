"""Converting: what is written, what is left out, and that a file is whole or not there."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from tests.trainer.data.formats.samples import SAMPLES
from trainer.cli.app import app
from trainer.data.convert import Converted, Reading, convert
from trainer.data.errors import DataError


def done(source: Path, target: Path, **reading: Any) -> Converted:
    progress = reading.pop("progress", lambda *_: None)
    force = reading.pop("force", False)
    return convert(str(source), target, Reading(**reading), force=force, progress=progress)


MALFORMED = {
    b"\xef\xbb\xbf" + b'{"text": "a byte order mark"}\r': None,
    b"": None,
    b" \t\r": None,
    b"{broken\r": "broken JSON",
    b'{"text": "\xff"}': "broken JSON",
    b'{"messages": [{"role": "user", "content": "q"}]}': "no answer to train",
    b'{"messages": []}': "`messages` is empty",
    b'{"text": null}': "`text` is missing or null",
    b'{"text": "' + b"x" * 3000 + b'"}': "a record of 3012 bytes, data.max_line_bytes is 2000",
    b'{"text": "<|im_end|>"}': None,
    b'{"text": "no last newline"}': None,
}


def test_every_malformed_line_is_counted_and_located(tmp_path: Path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join(MALFORMED))
    found = done(path, tmp_path / "out.jsonl", limit_bytes=2000)
    said = {problem.source.line: problem.what for problem in found.problems}
    expected = {line: what for line, what in enumerate(MALFORMED.values(), start=1) if what}
    assert said.keys() == expected.keys()
    assert all(what in said[line] for line, what in expected.items())
    for problem in found.problems:
        line = list(MALFORMED)[problem.source.line - 1]
        assert path.read_bytes()[problem.source.offset :].startswith(line)
    assert (found.written, found.left_out) == (3, len(expected))
    assert b"<|im_end|>" in (tmp_path / "out.jsonl").read_bytes()


def test_ten_thousand_images_in_a_record_are_kept(tmp_path: Path):
    turns = [{"from": "human", "value": "<image>" * 10_000}, {"from": "gpt", "value": "a"}]
    path = tmp_path / "in.jsonl"
    path.write_bytes(orjson.dumps({"conversations": turns, "image": ["a.png"] * 10_000}))
    assert done(path, tmp_path / "out.jsonl").written == 1
    (line,) = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert len(orjson.loads(line)["messages"][0]["content"]) == 10_000


def test_nothing_is_left_of_a_conversion_that_fails(tmp_path: Path):
    path = tmp_path / "in.json"
    path.write_bytes(b'[{"text": "a"}, {"text": "b"} {"text": "c"}]')
    with pytest.raises(DataError, match="broken JSON"):
        done(path, tmp_path / "out.jsonl")
    path.write_bytes(b"[3]")
    with pytest.raises(DataError, match="no record could be read; the first"):
        done(path, tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_not_overwritten_unless_forced(tmp_path: Path):
    target = tmp_path / "out.jsonl"
    target.write_text("mine")
    with pytest.raises(DataError, match=r"exists already.*--force"):
        done(SAMPLES / "native.jsonl", target)
    assert target.read_text() == "mine"
    assert done(SAMPLES / "native.jsonl", target, force=True).written == 5


def test_a_file_can_be_converted_onto_itself(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes((SAMPLES / "instruction.csv").read_bytes())
    assert done(path, path, force=True).written == 3
    assert path.read_bytes().startswith(b'{"messages":')


def test_images_that_lie_in_the_record_or_elsewhere_keep_their_names(tmp_path: Path):
    inside = "iVBORw0KGgo" + "A" * 60
    names = ["/abs/a.png", "https://x.y/a.png", "data:image/png;base64,AA", inside, "b/c.png"]
    content = [{"type": "image", "image": name} for name in names]
    path = tmp_path / "in.jsonl"
    turn = {"role": "user", "content": content}
    path.write_bytes(orjson.dumps({"messages": [turn], "response": "a"}))
    (tmp_path / "deep").mkdir()
    done(path, tmp_path / "deep" / "out.jsonl")
    value = orjson.loads((tmp_path / "deep" / "out.jsonl").read_bytes())
    found = [part["image"] for part in value["messages"][0]["content"]]
    assert found == [*names[:-1], "../b/c.png"]


def test_progress_grows_to_the_whole_file(tmp_path: Path):
    told: list[tuple[int, int | None, int]] = []
    done(SAMPLES / "swift.jsonl", tmp_path / "out.jsonl", progress=lambda *it: told.append(it))
    size = (SAMPLES / "swift.jsonl").stat().st_size
    assert [records for _, _, records in told] == [1, 2, 3]
    assert told[-1][:2] == (size, size)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_the_command_says_what_it_did(tmp_path: Path):
    found = run("convert", SAMPLES / "llava.json", tmp_path / "out.jsonl", "--json")
    assert found.exit_code == 0
    told = orjson.loads(found.stdout)
    assert (told["format"], told["written"], told["left_out"]) == ("llava", 3, 0)


@pytest.mark.parametrize(("extra", "succeeds"), [([], False), (["--skip-bad"], True)])
def test_left_out_records_are_a_failure_unless_that_is_fine(
    tmp_path: Path, extra: list[str], succeeds: bool
):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "a"}\n{broken\n{"text": "b"}')
    found = run("convert", path, tmp_path / "out.jsonl", *extra)
    assert f"{path}:2: broken JSON" in found.stderr
    assert (found.exception is None) is succeeds
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 2


def test_columns_can_be_named_on_the_command_line(tmp_path: Path):
    path = tmp_path / "in.csv"
    path.write_text("ask,reply\nq,a\n")
    named = ("--columns", "prompt=ask,response=reply", "--format", "instruction")
    assert run("convert", path, tmp_path / "out.jsonl", *named).exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == '{"prompt":"q","response":"a"}\n'
    wrong = run("convert", path, tmp_path / "x.jsonl", "--columns", "ask=prompt")
    assert "ask=prompt names no column" in str(wrong.exception)
    wrong = run("convert", path, tmp_path / "x.jsonl", "--format", "alpaca")
    assert "no format 'alpaca'; use one of auto, native" in str(wrong.exception)


@pytest.mark.parametrize(("amount", "validation"), [("0.4", 2), ("1", 1)])
def test_a_file_is_split_by_the_command(tmp_path: Path, amount: str, validation: int):
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join(b'{"text": "%d"}\n' % number for number in range(5)))
    found = run("split", path, "--validation", amount, "--json")
    assert orjson.loads(found.stdout)["validation"] == validation
    assert run("split", path, "--validation", "1.5", "--force").exception is not None
