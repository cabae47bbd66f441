"""What `qvl train` and `qvl resume` refuse, and what they leave behind: nothing half-made."""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.trainer.cli.conftest import Qvl
from tests.trainer.supervisor.children import SupervisedChild
from trainer.cli import begin
from trainer.cli.manner import Manner
from trainer.cli.preflight import why_no_gpu
from trainer.run.events import Exit, Resumed, Step
from trainer.run.layout import RunLayout
from trainer.run.lock import RunIsHeld, acquire_run_lock

RECORD = {"messages": [{"role": "user", "content": "1+1?"}], "response": "2"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration in which all is well but the model, which has no weights."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (tmp_path / "train.jsonl").write_text(json.dumps(RECORD) + "\n")
    path = tmp_path / "first.yaml"
    path.write_text(yaml.safe_dump({"model": {"path": "model"}, "data": {"train": "train.jsonl"}}))
    return path


def assert_nothing_was_made(tmp_path: Path) -> None:
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_all_problems_of_a_configuration_are_told_at_once_with_code_2(
    config: Path, qvl: Qvl, tmp_path: Path
):
    done = qvl("train", str(config), "optimizer.learning_rat=1", "batch.size=0")
    assert done.returncode == 2
    assert "learning_rat" in done.stderr
    assert "batch.size" in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_was_made(tmp_path)


def test_a_missing_model_has_code_1(config: Path, qvl: Qvl, tmp_path: Path):
    done = qvl("train", str(config), f"model.path={tmp_path}/no-model")
    assert done.returncode == 1
    assert "no such folder" in done.stderr
    assert_nothing_was_made(tmp_path)


def test_empty_data_has_code_2(config: Path, qvl: Qvl, tmp_path: Path):
    (tmp_path / "train.jsonl").write_text("\n\n")
    done = qvl("train", str(config))
    assert done.returncode == 2
    assert "train.jsonl: it holds no record" in done.stderr
    assert_nothing_was_made(tmp_path)


@pytest.mark.skipif(not why_no_gpu(), reason="there is a GPU here")
@pytest.mark.parametrize("option", ["model.device=cuda", "model.attention=flash_attention_2"])
def test_an_option_that_needs_a_gpu_is_refused_without_one(
    config: Path, qvl: Qvl, tmp_path: Path, option: str
):
    done = qvl("train", str(config), option)
    assert done.returncode == 1
    assert f"{option} needs a GPU: not available" in done.stderr
    assert_nothing_was_made(tmp_path)


def test_compiling_without_a_compiler_is_refused(config: Path, qvl: Qvl, tmp_path: Path):
    done = qvl("train", str(config), "model.compile=language", CXX="no-such-compiler")
    assert done.returncode == 1
    assert "model.compile=language: there is no C++ compiler no-such-compiler" in done.stderr
    assert "set model.compile=off" in done.stderr
    assert_nothing_was_made(tmp_path)


def test_a_disk_that_is_too_small_is_refused(config: Path, qvl: Qvl, tmp_path: Path):
    with (tmp_path / "model" / "model.safetensors").open("wb") as file:
        file.truncate(10 * 2**40)  # holes take no room
    done = qvl("train", str(config))
    assert done.returncode == 1
    assert "the run wants about 2.2 TB" in done.stderr
    assert "make room" in done.stderr
    assert_nothing_was_made(tmp_path)


def test_a_runs_folder_that_is_a_file_is_refused(config: Path, qvl: Qvl, tmp_path: Path):
    (tmp_path / "runs").write_text("")
    done = qvl("train", str(config))
    assert done.returncode == 1
    assert "it is a file" in done.stderr


def test_a_run_that_is_held_is_refused_before_anything_is_made(
    config: Path, qvl: Qvl, tmp_path: Path
):
    with acquire_run_lock(tmp_path / "runs" / "first"):
        done = qvl("train", str(config))
    assert done.returncode == 1
    assert f"the run is held by process {os.getpid()}, which begins" in done.stderr
    assert_nothing_was_made(tmp_path)


def test_a_foreign_folder_by_the_runs_name_is_left_alone(config: Path, qvl: Qvl, tmp_path: Path):
    (tmp_path / "runs" / "other").mkdir(parents=True)
    done = qvl("train", str(config), "--name", "other")
    assert done.returncode == 1
    assert "give the run another --name" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == [tmp_path / "runs" / "other"]
    assert not list((tmp_path / "runs" / "other").iterdir())


@pytest.mark.parametrize(
    "options", [("--detach", "--foreground"), ("--detach", "--events", "-"), ("--events", "file")]
)
def test_options_that_contradict_each_other_are_refused(
    config: Path, qvl: Qvl, tmp_path: Path, options: tuple[str, ...]
):
    assert qvl("train", str(config), *options).returncode == 2
    assert_nothing_was_made(tmp_path)


@pytest.mark.slow
def test_a_run_that_fails_can_be_seen_and_not_be_begun_again_but_resumed(
    config: Path, qvl: Qvl, tmp_path: Path
):
    begun = json.loads(qvl("train", str(config), "--detach", "--json").stdout)
    root = tmp_path / "runs" / "first"
    assert begun == {"name": "first", "path": str(root), "attempt": 1}
    assert [it.name for it in root.parent.iterdir()] == ["first"]
    assert yaml.safe_load((root / "config.yaml").read_text())["data"]["workers"] == 2
    again = qvl("train", str(config))
    assert again.returncode == 1
    assert "the run is held by process" in again.stderr
    qvl("logs", "first", "-f")  # until it ended: its model has no weights
    failed = json.loads(qvl("status", "first", "--json").stdout)
    assert failed["state"] == "failed"
    code = failed["exit"]["code"]  # 1 or 2, as the trainer judges such a model
    again = qvl("train", str(config))
    assert again.returncode == 1
    assert "there is such a run already (failed); `qvl resume first`" in again.stderr
    changed = qvl("resume", "first", "optimizer.learning_rate=0.5")
    assert changed.returncode == 2
    assert "optimizer.learning_rate: 0.0001 became 0.5" in changed.stderr
    foreground = qvl("resume", "first", "--foreground", "checkpoint.keep_last=4")
    assert foreground.returncode == code
    assert "✗ failed at step 0" in foreground.stderr
    assert yaml.safe_load((root / "config.yaml").read_text())["checkpoint"]["keep_last"] == 4
    assert json.loads(qvl("status", "first", "--json").stdout)["attempt"] == 2


def test_a_finished_run_says_that_there_is_nothing_to_resume(
    run: SupervisedChild, config: Path, qvl: Qvl
):
    run.layout.config.write_text(
        config.read_text()
        .replace("path: model", f"path: {config.parent}/model")
        .replace("train: train.jsonl", f"train: {config.parent}/train.jsonl")
    )
    run.end(run.start("finish:2"))
    done = qvl("resume", "a-run")
    assert done.returncode == 0
    assert "a-run is finished" in done.stdout
    assert len(run.all(Exit)) == 1


def test_a_run_is_resumed_once_its_on_exit_command_is_done(run: SupervisedChild, qvl: Qvl):
    run.configure(on_exit="sleep 3")
    process = run.start("finish:2")
    run.wait_for(lambda: run.all(Exit))
    run.layout.config.write_text("model: [")
    assert "config.yaml:1" in qvl("resume", "a-run").stderr
    assert run.end(process) == 0


def test_a_run_whose_on_exit_command_takes_long_is_not_resumed_and_says_why(
    run: SupervisedChild, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(begin, "LEAVING_SECONDS", 0.1)
    run.configure(on_exit="sleep 60")
    process = run.start("finish:2")
    run.wait_for(lambda: run.all(Exit))
    manner = Manner(detach=True, foreground=False, events=None, json=False)
    with pytest.raises(RunIsHeld, match="is finished already, so wait"):
        begin.resume_run(str(run.layout.root), [], None, manner)
    process.terminate()
    assert run.end(process) == 0


def test_a_running_run_is_not_resumed_but_says_who_holds_it(run: SupervisedChild, qvl: Qvl):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    done = qvl("resume", "a-run")
    assert done.returncode == 1
    assert f"held by process {process.pid}" in done.stderr
    assert len(run.all(Resumed)) == 1


def test_a_traceback_is_shown_only_when_asked_for(tmp_path: Path, qvl: Qvl):
    layout = RunLayout(tmp_path / "runs" / "odd")
    layout.root.mkdir(parents=True)
    layout.config.write_text("model: {path: /x}\ndata: {train: [/x]}\n")
    layout.events.mkdir()  # reading it is an error that nobody foresaw
    plain = qvl("events", "odd")
    assert plain.returncode == 1
    assert "Traceback" not in plain.stderr
    assert "QVL_DEBUG=1 shows where" in plain.stderr
    assert "Traceback" in qvl("events", "odd", QVL_DEBUG="1").stderr
