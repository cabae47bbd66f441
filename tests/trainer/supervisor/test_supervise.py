"""Whole supervisors over real processes: ends, stops, stalls, restarts."""

import os
import resource
import signal
import time
from itertools import pairwise

import psutil
import pytest

from tests.trainer.supervisor.children import SupervisedChild
from trainer.run.append import append_line
from trainer.run.commands import send_command
from trainer.run.events import (
    CheckpointPublished,
    CommandDone,
    CommandReceived,
    Exit,
    OnExitDone,
    RankStarted,
    Resumed,
    Stalled,
    Step,
    StopRung,
    SupervisorStarted,
    Telemetry,
)
from trainer.run.liveness import run_status
from trainer.run.lock import acquire_run_lock, is_locked
from trainer.run.owner import read_owner
from trainer.supervisor.supervise import supervise


def test_a_run_that_finishes_leaves_an_exit_record_and_code_0(run: SupervisedChild):
    process = run.start("finish:5")
    assert run.end(process) == 0
    end = run.last(Exit)
    assert (end.state, end.code, end.step, end.will_restart) == ("finished", 0, 5, False)
    assert run.last(SupervisorStarted).pid == process.pid
    assert run.last(RankStarted).rank == 0
    assert run_status(run.layout).state == "finished"
    assert not is_locked(run.layout.root)
    assert read_owner(run.layout) is None


def test_telemetry_is_sampled_while_the_run_lives(run: SupervisedChild):
    process = run.start("finish:40")
    assert run.end(process) == 0
    samples = [it for it in run.read(run.layout.telemetry) if isinstance(it, Telemetry)]
    assert len(samples) >= 3
    assert samples[-1].memory_total_bytes
    assert samples[-1].trainer_memory_bytes
    assert samples[-1].disk_free_bytes
    assert samples[-1].gpus or samples[-1].gpu_note.startswith("not available: ")


def test_a_stop_command_is_acknowledged_and_ends_with_code_3(run: SupervisedChild):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    command = send_command(run.layout, 1, "stop")
    assert run.end(process) == 3
    assert run.last(CommandReceived).id == command.id
    assert run.last(CommandReceived).accepted
    assert run.last(CommandDone).id == command.id
    assert [it.rung for it in run.all(StopRung)] == ["asked"]
    assert run.last(Exit).state == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_supervisor_is_a_stop_with_a_checkpoint(
    run: SupervisedChild, number: signal.Signals
):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(number)
    assert run.end(process) == 3
    assert run.last(CheckpointPublished).reason == "stop"
    assert run.last(CommandReceived).command == "stop"


def test_sigusr1_writes_a_checkpoint_and_the_run_goes_on(run: SupervisedChild):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGUSR1)
    run.wait_for(lambda: run.all(CheckpointPublished))
    step = run.last(CheckpointPublished).step
    run.wait_for(lambda: run.last(Step).step > step + 5)
    assert process.poll() is None


def test_sighup_is_ignored(run: SupervisedChild):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGHUP)
    step = run.last(Step).step
    run.wait_for(lambda: run.last(Step).step > step + 5)
    assert process.poll() is None


def test_a_second_signal_goes_to_the_trainer_at_once_and_a_third_kills_it(run: SupervisedChild):
    run.configure(stop_timeout_seconds=1000, kill_timeout_seconds=1000)
    process = run.start("hang:2")
    run.wait_for(lambda: len(run.all(Step)) == 2)
    for rungs in (1, 2, 3):
        process.send_signal(signal.SIGINT)
        run.wait_for(lambda: len(run.all(StopRung)) == rungs)  # noqa: B023
    assert run.end(process) == 1
    assert [it.rung for it in run.all(StopRung)] == ["asked", "sigterm", "sigkill"]
    end = run.last(Exit)
    assert (end.state, end.signal) == ("crashed", "SIGKILL")
    assert "the stop took too long" in end.message


def test_a_second_signal_reaches_a_trainer_that_does_not_read_commands(run: SupervisedChild):
    run.configure(stop_timeout_seconds=1000)
    process = run.start("stubborn")
    run.wait_for(lambda: run.all(Step))
    process.send_signal(signal.SIGTERM)
    run.wait_for(lambda: run.all(StopRung))
    process.send_signal(signal.SIGTERM)
    assert run.end(process) == 3


def test_the_stop_ladder_climbs_by_itself_to_sigkill(run: SupervisedChild):
    run.configure(stop_timeout_seconds=0.5, kill_timeout_seconds=0.5)
    process = run.start("hang:2")
    run.wait_for(lambda: len(run.all(Step)) == 2)
    send_command(run.layout, 1, "stop")
    assert run.end(process) == 1
    rungs = run.all(StopRung)
    assert [it.rung for it in rungs] == ["asked", "sigterm", "sigkill"]
    assert [it.next_seconds for it in rungs] == [0.5, 0.5, None]
    assert all(0.4 < later.time - earlier.time < 60 for earlier, later in pairwise(rungs))


def test_a_stop_before_training_began_is_no_crash(run: SupervisedChild):
    run.configure(stop_timeout_seconds=0.3)
    process = run.start("early")
    run.wait_for(lambda: run.all(RankStarted))
    process.send_signal(signal.SIGTERM)
    assert run.end(process) == 3
    assert run.last(Exit).state == "stopped"
    assert run.last(Exit).signal == "SIGTERM"


def test_a_trainer_killed_by_a_signal_is_a_crash_with_code_1(run: SupervisedChild):
    process = run.start("crash:4")
    assert run.end(process) == 1
    end = run.last(Exit)
    assert (end.state, end.signal, end.step) == ("crashed", "SIGKILL", 4)


def test_a_failing_trainer_leaves_its_last_words(run: SupervisedChild):
    process = run.start("fail")
    assert run.end(process) == 1
    assert run.last(Exit).state == "failed"
    assert run.last(Exit).message == "RuntimeError: the dog ate it"


def test_bad_input_keeps_its_code_and_is_never_restarted(run: SupervisedChild):
    run.configure(auto_resume=5)
    process = run.start("bad")
    assert run.end(process) == 2
    assert len(run.all(SupervisorStarted)) == 1
    assert run.last(Exit).message == "data.jsonl:3: no answer; add one"


def test_no_worker_of_a_dead_trainer_is_left(run: SupervisedChild):
    process = run.start("worker:2")
    assert run.end(process) == 1
    worker = int((run.layout.root / "worker.pid").read_text())
    run.wait_for(lambda: not psutil.pid_exists(worker) or is_zombie(worker))


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_run_is_restarted_after_a_crash_as_a_new_attempt(run: SupervisedChild):
    run.configure(auto_resume=2)
    process = run.start("saved_crash:4,finish:9")
    assert run.end(process) == 0
    assert [it.will_restart for it in run.all(Exit)] == [True, False]
    assert [(it.attempt, it.restart) for it in run.all(SupervisorStarted)] == [(1, 0), (2, 1)]
    assert run.last(Resumed).step == 4
    assert run_status(run.layout).state == "finished"


def test_a_run_is_restarted_no_more_often_than_allowed(run: SupervisedChild):
    run.configure(auto_resume=2)
    process = run.start("saved_crash:2,saved_crash:4,saved_crash:6,saved_crash:8")
    assert run.end(process) == 1
    assert [it.step for it in run.all(Exit)] == [2, 4, 6]


def test_a_run_that_breaks_at_the_same_step_again_is_not_restarted_for_ever(run: SupervisedChild):
    run.configure(auto_resume=10)
    process = run.start("crash:3")
    assert run.end(process) == 1
    assert [it.will_restart for it in run.all(Exit)] == [True, False]
    assert "came no further than step 3" in run.console()


def test_a_run_that_was_to_stop_is_not_restarted(run: SupervisedChild):
    run.configure(auto_resume=5, stop_timeout_seconds=0.3, kill_timeout_seconds=0.3)
    process = run.start("hang:2")
    run.wait_for(lambda: len(run.all(Step)) == 2)
    send_command(run.layout, 1, "stop")
    assert run.end(process) == 1
    assert len(run.all(SupervisorStarted)) == 1


def test_a_stalled_rank_that_cannot_dump_its_stack_yet_is_left_alone(run: SupervisedChild):
    run.configure(stall_timeout_seconds=0.2)
    process = run.start("early")
    run.wait_for(lambda: run.all(RankStarted))
    time.sleep(1.5)
    assert process.poll() is None
    assert not run.all(Exit)


def test_progress_again_ends_a_stall(run: SupervisedChild):
    run.configure(stall_timeout_seconds=0.5)
    run.start("finish")
    run.wait_for(lambda: run.all(Step))
    trainer = run.last(RankStarted).pid
    os.kill(trainer, signal.SIGSTOP)
    run.wait_for(lambda: run.all(Stalled))
    os.kill(trainer, signal.SIGCONT)
    run.wait_for(lambda: not run.last(Stalled).stalled)


def test_commands_for_another_attempt_and_unknown_ones_are_refused_by_name(run: SupervisedChild):
    run.start("finish")
    run.wait_for(lambda: run.all(Step))
    other = send_command(run.layout, 7, "stop")
    append_line(run.layout.commands, b'{"id": "u", "attempt": 1, "command": "dance"}')
    with run.layout.commands.open("a") as file:
        file.write("no json at all\n")
    good = send_command(run.layout, 1, "checkpoint")
    run.wait_for(lambda: len(run.all(CommandReceived)) == 3)
    answers = {it.id: it for it in run.all(CommandReceived)}
    assert not answers[other.id].accepted
    assert "attempt 7" in answers[other.id].reason
    assert not answers["u"].accepted
    assert "known are stop, checkpoint, evaluate" in answers["u"].reason
    assert answers[good.id].accepted
    assert not run.all(Exit)


def test_answered_commands_are_not_answered_again_by_the_next_attempt(run: SupervisedChild):
    process = run.start("finish")
    run.wait_for(lambda: run.all(Step))
    send_command(run.layout, 1, "stop")
    assert run.end(process) == 3
    process = run.start("finish:3")
    assert run.end(process) == 0
    assert len(run.all(CommandReceived)) == 1
    assert [it.attempt for it in run.all(Exit)] == [1, 2]


def test_when_one_rank_dies_the_others_are_stopped(run: SupervisedChild):
    process = run.start("crash:2", ranks=2)
    assert run.end(process) == 1
    assert len({it.pid for it in run.all(RankStarted)}) == 2
    end = run.last(Exit)
    assert (end.state, end.signal) == ("crashed", "SIGKILL")
    assert run.last(StopRung).reason == "rank 0 ended with SIGKILL"


def test_a_rank_that_stays_when_the_others_are_done_is_ended_after_a_while(run: SupervisedChild):
    run.configure(kill_timeout_seconds=1.0)
    process = run.start("finish:2", ranks=2)
    run.end(process)
    (rung,) = run.all(StopRung)
    assert (rung.rung, rung.reason) == ("sigterm", "rank 0 ended with 0")
    assert rung.time - run.last(Step).time > 0.9


def test_a_full_disk_does_not_end_the_supervisor_and_its_events_come_later(run: SupervisedChild):
    process = run.start("finish")
    run.wait_for(lambda: len(run.all(Step)) > 5)
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
    refused = send_command(run.layout, 9, "stop")
    step = run.last(Step).step
    run.wait_for(lambda: run.last(Step).step > step + 30)
    assert not run.all(CommandReceived)
    assert process.poll() is None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
    run.wait_for(lambda: run.all(CommandReceived))
    assert run.last(CommandReceived).id == refused.id
    process.send_signal(signal.SIGTERM)
    assert run.end(process) == 3


def test_the_on_exit_command_runs_with_the_state_once_the_run_is_over(run: SupervisedChild):
    run.configure(on_exit='echo "$QVL_STATE $QVL_CODE $QVL_RUN"; exit 5')
    process = run.start("finish:2")
    assert run.end(process) == 0
    done = run.last(OnExitDone)
    assert done.code == 5
    assert done.output == f"finished 0 {run.layout.root}"


def test_a_trainer_that_cannot_be_started_is_a_failure_with_its_reason(run: SupervisedChild):
    with acquire_run_lock(run.layout.root) as lock:
        code = supervise(run.layout, lock, command=["/nowhere/python"])
    assert code == 1
    assert "could not be started" in run.last(Exit).message
