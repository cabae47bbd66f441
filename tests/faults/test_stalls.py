"""Fault 18: a step that never returns."""

from functools import partial

from tests.faults import faulty_rank
from tests.faults.test_signals import SHORT, wait_until
from tests.trainer_processes import MakeRun
from trainer.run.commands import send_command
from trainer.run.events import CheckpointPublished, Exit, Stalled, Step, StopRung
from trainer.run.liveness import run_status
from trainer.run.manifest import verify_checkpoint

PATIENCE_SECONDS = 3.0


def test_fault_18_a_step_that_never_returns_is_noticed_shown_and_can_be_ended(make_run: MakeRun):
    run = make_run(
        "stalled",
        *SHORT,
        "checkpoint.every_steps=2",
        f"supervision.stall_timeout_seconds={PATIENCE_SECONDS}",
        "supervision.stop_timeout_seconds=0.5",
        "supervision.kill_timeout_seconds=0.5",
    )
    supervisor = run.start_until(
        lambda run: run.of(CheckpointPublished) and run.of(Stalled),
        partial(faulty_rank.supervised, "endless_step"),
    )
    stalled = run.of(Stalled)[-1]
    assert stalled.stalled
    assert stalled.limit_seconds == PATIENCE_SECONDS
    assert stalled.silent_seconds > PATIENCE_SECONDS
    assert run.last_step() == 2
    status = run_status(run.layout)
    assert status.state == "stalled"
    assert "no progress for" in status.message
    assert "console.log" in status.message
    # Where it hangs is told, though the process does not hear of any signal any more.
    wait_until(lambda: " in endless_step" in run.layout.console.read_text())
    console = run.layout.console.read_text()
    assert "stacks of ranks [0]" in console
    assert console.index(" in take") < console.index("trainer/train/loop.py")

    send_command(run.layout, 1, "stop")
    run.ends_with(1, supervisor, seconds=60)
    assert [it.rung for it in run.of(StopRung)] == ["asked", "sigterm", "sigkill"]
    (end,) = run.of(Exit)
    assert (end.state, end.signal, end.step) == ("crashed", "SIGKILL", 2)
    assert verify_checkpoint(run.layout.checkpoint(2)).step == 2
    run.finish()
    assert sorted({it.step for it in run.of(Step)}) == list(range(1, 9))
