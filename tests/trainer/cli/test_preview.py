"""`qvl preflight` tells what a run would look at, need and take, and makes nothing."""

import json
from pathlib import Path

import pytest

from tests.qvl_tui.recorded import record_run
from tests.trainer.cli.conftest import Qvl
from trainer.words.forecast import forecast_lines


@pytest.fixture
def arguments(tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> list[str]:
    train, validation = shapes
    return [
        *("preflight", "balanced", f"model.path={tiny_checkpoint}", "model.device=cpu"),
        *(f"data.train={train}", f"data.validation={validation}", "training.epochs=2"),
    ]


def test_data_steps_memory_and_disk_are_told(arguments: list[str], qvl: Qvl, tmp_path: Path):
    done = qvl(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["train"]["records"] == told["train"]["looked_at"] == 48
    assert told["train"]["images"] >= 48
    assert told["train"]["visual_tokens"][0] == 9  # 96 x 96 pixels
    assert told["train"]["problems"] == []
    assert (told["steps_per_epoch"], told["total_steps"]) == (12, 24)
    assert told["seconds"] is None
    assert told["memory_total"] == sum(told["memory"].values())
    assert told["fits"] is True
    assert told["device"]["name"] == "CPU"
    assert told["disk"]["wanted_bytes"] > 0
    assert not (tmp_path / "runs").exists()
    text = qvl(*arguments).stdout
    assert "✓ 48 records" in text
    assert "12 steps/epoch · 24 steps" in text
    assert "time – (no earlier run" in text


def test_problems_are_told_with_file_and_line(arguments: list[str], qvl: Qvl, tmp_path: Path):
    good = json.dumps({"prompt": "1+1?", "response": "2"})
    picture = {"type": "image", "image": "gone.png"}
    missing = {"messages": [{"role": "user", "content": [picture]}], "response": "?"}
    data = tmp_path / "mixed.jsonl"
    data.write_text("\n".join([good, "{broken", good, json.dumps(missing)]) + "\n")
    done = qvl(*arguments, f"data.train={data}")
    assert done.returncode == 0
    assert "✗ 2 problems" in done.stdout
    assert "mixed.jsonl:2: broken JSON" in done.stdout
    assert "mixed.jsonl:4: image 1 of 1: no file 'gone.png'" in done.stdout


def test_an_image_with_too_many_tokens_is_a_problem(arguments: list[str], qvl: Qvl):
    told = json.loads(
        qvl(*arguments, "data.max_length=16", "data.min_pixels=40000", "--json").stdout
    )
    assert told["train"]["problem_count"] == 46  # the other two are text alone
    assert "visual tokens, data.max_length is 16" in told["train"]["problems"][0]["reason"]


def test_of_a_large_file_500_records_are_looked_at(arguments: list[str], qvl: Qvl, tmp_path: Path):
    data = tmp_path / "large.jsonl"
    data.write_text((json.dumps({"prompt": "1+1?", "response": "2"}) + "\n") * 2_000)
    done = qvl(*arguments, f"data.train={data}")
    assert "✓ 2,000 records (500 looked at)" in done.stdout


def test_the_time_is_that_of_the_newest_run_of_the_same_model(
    arguments: list[str], qvl: Qvl, tiny_checkpoint: Path, tmp_path: Path
):
    overrides = (f"model.path={tiny_checkpoint}", "model.device=cpu")
    record_run(tmp_path / "runs", "earlier", overrides=overrides, steps=30, end="finished")
    told = json.loads(qvl(*arguments, "--json").stdout)
    assert told["pace_of_run"] == "earlier"
    assert told["seconds_per_step"] == pytest.approx(2.4, rel=0.5)
    assert told["seconds"] == pytest.approx(24 * told["seconds_per_step"])
    other = json.loads(qvl(*arguments, "tune.aligner=lora", "--json").stdout)
    assert other["pace_of_run"] is None


def test_a_bad_configuration_has_code_2_and_every_problem(arguments: list[str], qvl: Qvl):
    done = qvl(*arguments, "batch.size=0", "data.train=gone.jsonl", "--json")
    assert done.returncode == 2
    assert "command line:batch.size: 0 is not allowed" in done.stderr
    assert "command line:data.train: no such file" in done.stderr
    assert done.stdout == ""


def test_data_without_records_has_code_2(arguments: list[str], qvl: Qvl, tmp_path: Path):
    (tmp_path / "empty.jsonl").write_text("\n")
    done = qvl(*arguments, f"data.train={tmp_path}/empty.jsonl")
    assert done.returncode == 2
    assert "empty.jsonl: it holds no record" in done.stderr


def test_what_would_be_refused_is_told(arguments: list[str], qvl: Qvl):
    told = json.loads(qvl(*arguments, "training.log_with=[wandb]", "--json").stdout)
    refused = [it for it in told["refusals"] if "wandb" in it]
    assert refused == [] or "is not installed" in refused[0]
    assert [f"✗ {it}" for it in told["refusals"]] == forecast_lines(told)[: len(told["refusals"])]


def test_a_run_that_does_not_fit_says_what_to_lower(arguments: list[str], qvl: Qvl):
    told = json.loads(qvl(*arguments, "batch.size=1000000", "--json").stdout)
    assert told["fits"] is False
    assert "✗ memory about" in "\n".join(forecast_lines(told))
    assert "  to save memory: batch.size=1, batch.accumulation=4000000" in forecast_lines(told)
