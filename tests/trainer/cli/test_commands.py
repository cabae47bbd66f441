"""Commands to a run and looks at it, each in a process of its own."""

import json
import subprocess
import sys

import pytest

from tests.trainer.cli.conftest import Qvl
from tests.trainer.supervisor.children import SupervisedChild
from trainer.run.events import CheckpointPublished, Exit, Step, StopRung

HEAVY = [
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "bitsandbytes",
    "numpy",
    "textual",
    "PIL",
    "yaml",
]


@pytest.mark.parametrize("command", ["stop", "checkpoint", "evaluate"])
def test_a_command_to_a_run_that_does_not_live_is_refused_at_once(
    run: SupervisedChild, qvl: Qvl, command: str
):
    run.end(run.start("finish:2"))
    done = qvl(command, "a-run", "--wait")
    assert done.returncode == 1
    assert done.stderr == "a-run does not run: it is finished\n"
    assert not run.layout.commands.exists()


def test_stop_waits_until_the_run_ended(run: SupervisedChild, qvl: Qvl):
    run.start("slow")
    run.wait_for(lambda: run.all(Step))
    done = qvl("stop", "a-run", "--wait")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a-run: stopped at step" in done.stdout
    assert run.last(Exit).code == 3


def test_stop_returns_once_it_is_acknowledged(run: SupervisedChild, qvl: Qvl):
    run.start("slow")
    run.wait_for(lambda: run.all(Step))
    done = qvl("stop", "a-run", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["accepted"]
    assert answer["attempt"] == 1


def test_stop_now_climbs_the_ladder_without_waiting(run: SupervisedChild, qvl: Qvl):
    run.configure(stop_timeout_seconds=1000)
    run.start("stubborn")
    run.wait_for(lambda: run.all(Step))
    done = qvl("stop", "a-run", "--now", "--wait")
    assert done.returncode == 0
    assert [it.rung for it in run.all(StopRung)] == ["asked", "sigterm"]


def test_checkpoint_waits_for_the_checkpoint(run: SupervisedChild, qvl: Qvl):
    run.start("finish")
    run.wait_for(lambda: run.all(Step))
    done = qvl("checkpoint", "a-run", "--wait", "--json")
    answer = json.loads(done.stdout)
    assert answer["done"]
    assert answer["step"] == run.last(CheckpointPublished).step


@pytest.mark.usefixtures("run")
def test_a_wrong_run_name_is_answered_with_the_nearest_one(qvl: Qvl):
    done = qvl("status", "a-rum")
    assert done.returncode == 1
    assert "did you mean a-run?" in done.stderr


def test_a_run_is_found_by_its_path_too(run: SupervisedChild, qvl: Qvl):
    run.end(run.start("finish:2"))
    done = qvl("status", str(run.layout.root), "--json", QVL_RUNS="/nowhere")
    assert json.loads(done.stdout)["state"] == "finished"


def test_status_tells_progress_and_exit(run: SupervisedChild, qvl: Qvl):
    run.start("finish")
    run.wait_for(lambda: run.all(Step))
    live = json.loads(qvl("status", "a-run", "--json").stdout)
    assert live["state"] == "running"
    assert live["held"]
    assert live["loss"] > 0
    assert live["total_steps"] == 100_000
    assert live["owner"]["pid"] == run.started[0].pid
    run.kill_all()
    dead = json.loads(qvl("status", "a-run", "--json").stdout)
    assert dead["state"] == "crashed"
    assert "qvl resume a-run" in dead["message"]
    assert "⚡  a-run  crashed" in qvl("status").stdout
    assert "⚡ a-run  crashed" in qvl("status", "a-run").stdout


def test_status_loads_nothing_that_takes_long(run: SupervisedChild):
    run.end(run.start("finish:50"))
    code = "import sys; from trainer.cli.app import app; "
    code += f"app(['status', {str(run.layout.root)!r}, '--json'], standalone_mode=False); "
    code += f"print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.splitlines()[-1] == "[]", loaded.stderr


def test_logs_are_shown_without_terminal_codes(run: SupervisedChild, qvl: Qvl):
    run.layout.console.write_bytes(b"a\x1b[31mred\x1b]0;title\x07\nbar 1%\rbar 2%\n\xff torn")
    done = qvl("logs", "a-run")
    assert done.stdout == "ared\nbar 2%\n\\ufffd torn\n"


def test_logs_follow_a_run_until_it_ends(run: SupervisedChild, qvl: Qvl):
    run.start("finish:30")
    run.wait_for(lambda: run.all(Step))
    done = qvl("logs", "a-run", "-f")
    assert "[supervisor" in done.stdout
    assert "finished" in done.stdout


def test_events_are_written_as_they_are_for_programs(run: SupervisedChild, qvl: Qvl):
    run.start("finish:30")
    run.wait_for(lambda: run.all(Step))
    done = qvl("events", "a-run", "-f")
    assert done.stdout == run.layout.events.read_text()


def test_runs_lists_every_run(run: SupervisedChild, qvl: Qvl):
    run.end(run.start("finish:2"))
    assert [it["name"] for it in json.loads(qvl("runs", "--json").stdout)] == ["a-run"]
    assert "a-run" in qvl("runs").stdout


def test_models_names_checkpoints_with_their_memory(qvl: Qvl):
    listed = json.loads(qvl("models", "--json").stdout)
    assert any(it["path"] == "Qwen/Qwen3-VL-2B-Instruct" for it in listed)
    assert all(it["qlora_memory_bytes"] > 0 for it in listed)


def test_a_broken_pipe_of_a_listing_is_no_traceback():
    command = f"{sys.executable} -m trainer.cli models | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
