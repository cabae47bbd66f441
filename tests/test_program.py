"""The whole program: the `qvl` script, its supervisor and a real trainer."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.program import Program
from trainer.run.events import CheckpointPublished, Exit, Step, SupervisorStarted
from trainer.run.state import RunState
from trainer.run.tail import EventTail
from trainer.train.checkpoint import newest_verified_checkpoint

pytestmark = pytest.mark.slow

SECRET = b"hf_thisMustNotBeWrittenAnywhere"


@pytest.fixture
def program(make_program: Callable[..., Program], shapes: tuple[Path, Path]) -> Program:
    return make_program(
        f"data.validation={shapes[1]}",
        "model.dtype=fp32",
        "training.threads=1",
        "data.workers=1",
        "training.max_steps=60",
        "checkpoint.every_steps=1000",
        "evaluation.every_steps=1000",
        "evaluation.generated_samples=0",
        "model.vision_cache=off",  # steps then last long enough to be interrupted
    )


def listening(pid: int) -> list[object]:
    """Return what a process and those it started wait for connections on."""
    supervisor = psutil.Process(pid)
    processes = [supervisor, *supervisor.children(recursive=True)]
    assert len(processes) > 2  # trainer and data worker
    found = [it for process in processes for it in process.net_connections("inet")]
    return [it for it in found if it.status == psutil.CONN_LISTEN]


def open_to_others(root: Path) -> list[Path]:
    """Return what others than the user may read or write."""
    return [path for path in (root, *root.rglob("*")) if path.stat().st_mode & 0o077]


def holding(root: Path, secret: bytes) -> list[Path]:
    """Return the files that hold a secret."""
    return [it for it in root.rglob("*") if it.is_file() and secret in it.read_bytes()]


def test_a_run_survives_its_terminal_and_a_stop(program: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", SECRET.decode())
    monkeypatch.setenv("WANDB_API_KEY", SECRET.decode())
    # A follower that loses its terminal goes; the run does not notice.
    follower = program.start(*program.train())
    program.wait_for(lambda: len(program.events(Step)) >= 2)
    follower.send_signal(signal.SIGHUP)
    follower.communicate(timeout=30)
    before = len(program.events(Step))
    program.wait_for(lambda: len(program.events(Step)) > before + 1)

    # Nobody else can read it, nothing of it listens, and it keeps no secret of its user's.
    (supervisor,) = program.events(SupervisorStarted)
    assert listening(supervisor.pid) == []
    assert open_to_others(program.layout.root) == []
    assert holding(program.layout.root, SECRET) == []

    # A stop is acknowledged with a checkpoint.
    assert "stopped at step" in program.call("stop", "real", "--wait")
    assert program.state() == "stopped"
    run = json.loads((program.layout.final / "run.json").read_text())
    assert run["partial"] is True
    assert "no run" not in program.call("stop", "real", code=1)

    # Resumed, it goes on to the end, headless, with its events on standard output.
    finished = program.start("resume", "real", "--events", "-")
    out, _err = finished.communicate(timeout=300)
    assert finished.returncode == 0
    copied = [json.loads(line) for line in out.splitlines()]
    assert copied[-1]["type"] == "trainer_ended"
    assert {event["attempt"] for event in copied} == {2}
    assert program.state() == "finished"
    state = RunState()
    for tail in (EventTail(program.layout.events), EventTail(program.layout.monitor)):
        for event in tail.read():
            state.apply(event)
    assert list(state.steps["step"]) == list(range(1, 61))
    assert newest_verified_checkpoint(program.layout, print) is not None
    assert "is finished" in program.call("resume", "real")
    assert open_to_others(program.layout.root) == []
    assert holding(program.layout.root, SECRET) == []


def test_ctrl_c_once_stops_with_a_checkpoint_and_says_so(program: Program):
    follower = program.start(*program.train("training.max_steps=5000"))
    program.wait_for(lambda: len(program.events(Step)) >= 2)
    follower.send_signal(signal.SIGINT)
    _out, err = follower.communicate(timeout=120)
    assert follower.returncode == 3
    assert "finishing the step and writing a checkpoint" in err.decode()
    (published,) = program.events(CheckpointPublished)
    (end,) = program.events(Exit)
    assert (end.state, end.code, end.step) == ("stopped", 3, published.step)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["optimizer.lr=1"], 2, "did you mean optimizer.learning_rate"),
        (["data.train=/nowhere/train.jsonl"], 2, "/nowhere/train.jsonl"),
        (["model.path=/nowhere/model"], 1, "/nowhere/model"),
        (["model.device=cuda"], 1, "GPU"),
        (["training.log_with=[wandb]"], 1, "qvl[wandb]"),
        (["evaluation.early_stopping_evaluations=2", "data.validation=[]"], 2, "data.validation"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(
    program: Program, options: list[str], code: int, says: str
):
    assert says in program.call(*program.train(*options), code=code)
    assert not program.layout.root.parent.exists() or not any(program.layout.root.parent.iterdir())


def test_empty_data_is_refused_with_the_file(program: Program):
    empty = program.folder / "empty.jsonl"
    empty.write_text("\n\n")
    told = program.call(*program.train(f"data.train={empty}"), code=2)
    assert f"{empty}: it holds no record" in told
    assert not program.layout.root.exists()
