"""`qvl data check` tells of every record, and its exit code says whether all can be trained."""

import json
from pathlib import Path

import pytest

from tests.trainer.cli.conftest import Qvl

GOOD = {"prompt": "1+1?", "response": "2"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six records; line 2 is broken, line 4 names a picture that is gone."""
    image = {"type": "image", "image": "gone.png"}
    gone = {"messages": [{"role": "user", "content": [image]}], "response": "?"}
    lines = [json.dumps(GOOD | {"prompt": f"{number}?"}) for number in range(6)]
    lines[1], lines[3] = '{"\x1b[31mred": ', json.dumps(gone)
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_problems_are_told_with_place_and_remedy_and_code_2(
    qvl: Qvl, data: Path, tiny_checkpoint: Path, tmp_path: Path
):
    options = [f"model.path={tiny_checkpoint}", f"data.train={data}", "model.device=cpu"]
    done = qvl("data", "check", "balanced", *options, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 2, done.stderr
    assert "✗ train: 4 of 6 records can be used" in done.stdout
    assert f"{data}:2: broken JSON" in done.stdout
    assert f"{data}:4: image 1 of 1: no file 'gone.png'" in done.stdout
    assert "replace the image or remove the record" in done.stdout
    assert "✗ 2 records would be skipped or refused" in done.stdout
    assert "2 steps/epoch" in done.stdout  # of 4 samples each
    assert "memory about" in done.stdout
    assert "\x1b" not in done.stdout
    preflight = qvl("preflight", "balanced", *options, "--json", XDG_CACHE_HOME=f"{tmp_path}/cache")
    told = json.loads(preflight.stdout)["train"]
    assert (told["looked_at"], told["problem_count"]) == (6, 2)
    assert (tmp_path / "cache" / "qvl" / "checks").is_dir()


def test_files_alone_are_checked_with_an_estimate_and_warnings_have_code_0(
    qvl: Qvl, tmp_path: Path
):
    records = [GOOD, GOOD | {"response": ""}]
    (tmp_path / "a=b.jsonl").write_text("".join(json.dumps(it) + "\n" for it in records))
    done = qvl("data", "check", "a=b.jsonl", "--json", XDG_CACHE_HOME=f"{tmp_path}/cache")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["estimated"]
    assert (told["errors"], told["warnings"], told["forecast"]) == (0, 1, None)
    assert told["findings"] == []
    (kind,) = told["splits"]["train"]["kinds"]
    assert (kind["severity"], kind["kind"], kind["count"]) == ("warning", "empty answer", 1)
    assert kind["examples"][0]["line"] == 2


def test_all_lists_everything(qvl: Qvl, tmp_path: Path):
    lines = [json.dumps({"prompt": f"{number}?", "response": ""}) for number in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    few = qvl("data", "check", "a.jsonl", XDG_CACHE_HOME=f"{tmp_path}/cache").stdout
    assert few.count("a.jsonl:") == 3 + 1  # examples, and the line about the file
    assert "and 17 more; --all lists them" in few
    every = qvl("data", "check", "a.jsonl", "--all", XDG_CACHE_HOME=f"{tmp_path}/cache").stdout
    assert all(f"a.jsonl:{line}: the answer is empty" in every for line in range(1, 21))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.jsonl"], "gone.jsonl: there is no such file"),
        (["balanced", "mixed.jsonl"], "name either a configuration or data files"),
        (["data.max_length=64"], "nothing to check"),
        (["mixed.jsonl", "data.max_lenght=64"], "data.max_length"),
        (["mixed.jsonl", "--model", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    qvl: Qvl, data: Path, arguments: list[str], message: str
):
    done = qvl("data", "check", *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr, data
