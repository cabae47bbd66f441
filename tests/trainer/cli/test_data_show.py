"""`qvl data show` prints records, writes JSON and pages, and answers a program line by line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.qvl_tui.training import write_configuration
from tests.trainer.cli.conftest import Qvl
from trainer.supervisor.python import python_environment

ODD = '{"messages": [{"role": "user", "content": "\\u001b[31m [bold]"}], "response": "fine"}'


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.jsonl"
    path.write_text(f"\n{ODD}\n{{broken\n")
    return path


def test_a_record_is_printed_with_its_trained_tokens_in_brackets(
    odd: Path, tiny_checkpoint: Path, qvl: Qvl
):
    done = qvl("data", "show", f"{odd}:2", "--model", str(tiny_checkpoint))
    assert done.returncode == 0, done.stderr
    assert "odd.jsonl:2 · record 1 of 2" in done.stdout
    assert "⟦fine<|im_end|>⟧" in done.stdout
    assert "␛[31m [bold]" in done.stdout
    assert "\x1b" not in done.stdout
    assert "✓ trained" in done.stdout


def test_colours_stand_in_place_of_brackets_where_there_are_colours(
    odd: Path, tiny_checkpoint: Path, qvl: Qvl
):
    colourful = {"FORCE_COLOR": "1", "TERM": "xterm-16color", "COLORTERM": ""}
    done = qvl("data", "show", str(odd), "1-2", "--model", str(tiny_checkpoint), **colourful)
    assert "\x1b[1;32mfine<|im_end|>\x1b[0m" in done.stdout
    assert "⟦" not in done.stdout
    assert "skipped: broken JSON" in done.stdout


def test_json_is_one_object_a_line_and_options_win(odd: Path, tiny_checkpoint: Path, qvl: Qvl):
    arguments = ("data", "show", str(odd), "1-2", "data.bad_records=refuse", "--json")
    done = qvl(*arguments, "--model", str(tiny_checkpoint))
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["record"], first["problem"], first["place"]["line"]) == (1, None, 2)
    assert sum(run["tokens"] for run in first["runs"]) == first["counts"]["tokens"]
    assert second["refused"] is True


def test_a_configuration_is_shown_with_its_splits_and_written_as_a_page(
    tmp_path: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path], qvl: Qvl
):
    config = write_configuration(tmp_path / "some.yaml", tiny_checkpoint, shapes, 4)
    page = tmp_path / "page.html"
    arguments = ("data", "show", str(config), "1-3", "--split", "validation", "--html", str(page))
    done = qvl(*arguments)
    assert done.returncode == 0, done.stderr
    assert page.read_text().count("<article ") == 3
    again = qvl(*arguments)
    assert again.returncode == 2
    assert "--force" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone.jsonl",), "no such data file, configuration or run"),
        (("odd.jsonl",), "add --model FOLDER"),
        (("odd.jsonl", "first"), "neither one record N"),
        (("odd.jsonl", "1", "2"), "neither one record N"),
        (("odd.jsonl", "--split", "test"), "use one of train, validation"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_remedy(
    arguments: tuple[str, ...], words: str, odd: Path, qvl: Qvl
):
    del odd
    done = qvl("data", "show", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_records_that_are_not_there_are_refused(odd: Path, tiny_checkpoint: Path, qvl: Qvl):
    for record, words in (("3", "there are 2 records"), ("0", "there are 2 records")):
        done = qvl("data", "show", str(odd), record, "--model", str(tiny_checkpoint))
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    done = qvl("data", "show", f"{odd}:1", "--model", str(tiny_checkpoint))
    assert "no record begins on line 1" in done.stderr


def test_a_program_gets_answers_until_it_closes_its_end(odd: Path, tiny_checkpoint: Path):
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "trainer.cli", "data", "show", str(odd), "--serve"),
            *("--model", str(tiny_checkpoint)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    opened = json.loads(process.stdout.readline())["opened"]
    assert opened["first"] == 1
    assert opened["splits"]["train"]["records"] == 2
    question = {"id": 7, "ask": "inspect", "split": "train", "record": 1, "epoch": 0}
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert answer["id"] == 7
    assert answer["answer"]["counts"]["trained"] > 0
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
