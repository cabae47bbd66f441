"""Faults 1 and 10 to 13: signals to a trainer, whatever it is doing."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults import faulty_rank
from tests.forked import Main
from tests.trainer_processes import MakeRun, Run, run_maker
from trainer.run.commands import send_command
from trainer.run.events import (
    AnyEvent,
    CheckpointPublished,
    CheckpointRejected,
    CommandDone,
    Evaluation,
    Exit,
    Resumed,
    Step,
    StopRung,
)
from trainer.run.manifest import verify_checkpoint
from trainer.train.checkpoint import newest_verified_checkpoint

# 72 samples in micro-batches of 2, 3 a step: 12 steps an epoch, so 24 steps are two epochs.
STEPS, EPOCH = 24, 12
TRAINED = (
    "batch.size=2",
    "batch.accumulation=3",
    "data.train_samples=72",
    "tune.vision=lora",
    "tune.aligner=lora",
    "tune.dropout=0.1",
    "schedule.warmup_steps=5",
    "evaluation.every_steps=9",
    "evaluation.generated_samples=1",
    "generation.max_new_tokens=4",
    "checkpoint.every_steps=7",
    f"training.max_steps={STEPS}",
)
OPS = """[
  {name: flip}, {name: rotate}, {name: crop, params: {area: 0.4, prob: 0.9, min_coverage: 0.6}},
  {name: brightness}, {name: noise}, {name: jpeg}
]""".replace("\n", "")
KILLS = (  # the step an attempt has at least done when it is killed, and its data workers
    (lambda _rng: 2, 0),  # before the first checkpoint
    (lambda rng: rng.randrange(8, EPOCH), 0),
    (lambda _rng: EPOCH, 2),  # at the end of an epoch
    (lambda rng: rng.randrange(EPOCH + 2, STEPS - 7), 0),
)


def weights(run: Run) -> dict[str, bytes]:
    final = run.layout.final
    found = {str(it.relative_to(final)): it.read_bytes() for it in final.rglob("*.safetensors")}
    assert found
    return found


def dropped(run: Run) -> list[float | None]:
    """Objects that augmentation left out, step by step, as the last attempt tells."""
    steps = {event.step: event.further.get("objects_dropped", 0.0) for event in run.of(Step)}
    return [steps[number] for number in sorted(steps)]


def interrupt(run: Run, seed: int) -> None:
    """Kill it again and again, at random moments of random steps; then stop it."""
    rng = random.Random(seed)
    for least_step, workers in KILLS:
        step = least_step(rng)
        into_it = rng.random() * 0.3 if step > EPOCH // 2 else 0.0  # in a step, or in a save
        run.configure(f"data.workers={workers}")
        run.kill_at(lambda run, step=step: run.last_step() >= step, into_it)
    run.stop_at(lambda run: run.last_step() >= STEPS - 6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lora", ("model.dtype=fp32", "model.quantization=none", "optimizer.name=adamw")),
        ("qlora", ("model.dtype=fp32", "model.quantization=nf4", "optimizer.name=adamw_8bit")),
        (
            "dense",  # packed, and with checkpointed activations
            (
                *("model.quantization=none", "optimizer.name=adamw", "data.train_samples=102"),
                *("data.dense.images_per_user_turn=2", "data.dense.summary_ratio=0.4"),
                *(f"data.augmentation.ops={OPS}", "batch.packing=pack", "batch.tokens=900"),
                "model.activation_checkpointing=true",
            ),
        ),
    ],
)
def test_fault_01_a_run_killed_four_times_and_stopped_once_gives_the_same_numbers(
    make_run: MakeRun, name: str, options: tuple[str, ...], mixed_shapes: Path, dense_shapes: Path
):
    # The first 60 dense records in twos beside 42 others are 72 samples too.
    data = (
        f"data.train={[str(dense_shapes), str(mixed_shapes)] if name == 'dense' else mixed_shapes}"
    )
    common = (*TRAINED, *options, data)
    whole = make_run(f"{name}-whole", *common, "data.workers=0")
    whole.finish()
    killed = make_run(f"{name}-killed", *common)
    interrupt(killed, seed=11)
    killed.finish()

    assert list(whole.losses()) == list(range(1, STEPS + 1))
    assert killed.losses() == whole.losses()
    assert weights(killed) == weights(whole)
    assert dropped(killed) == dropped(whole)
    assert any(dropped(whole)) == (name == "dense")
    assert killed.of(Resumed)[0].step == 0
    assert killed.of(Resumed)[-2].step >= EPOCH
    assert [event.reason for event in killed.of(CheckpointPublished)].count("signal") == 1
    evaluations = {event.step: event.loss for event in whole.of(Evaluation)}
    assert {event.step: event.loss for event in killed.of(Evaluation)} == evaluations


def test_fault_01_full_training_in_bf16_gives_the_same_numbers(make_run: MakeRun):
    common = (
        "tune.vision=full",
        "tune.aligner=full",
        "tune.language=full",
        "data.workers=0",
        "batch.size=2",
        "training.max_steps=6",
        "checkpoint.every_steps=2",
        "batch.accumulation=1",
        "model.quantization=none",
        "model.dtype=bf16",
        "model.activation_checkpointing=true",
        "evaluation.generated_samples=0",
    )
    whole = make_run("whole", *common)
    whole.finish()
    killed = make_run("killed", *common)
    killed.kill_at(lambda run: run.last_step() >= 3)
    killed.finish()
    assert killed.losses() == whole.losses()
    assert weights(killed) == weights(whole)
    assert killed.of(CheckpointPublished)[-1].reason == "end"


SHORT = (
    "model.dtype=fp32",
    "model.quantization=none",
    "model.vision_cache=off",
    "optimizer.name=adamw",
    "tune.dropout=0.1",
    "data.workers=0",
    "data.worker_timeout_seconds=60",  # then a stuck worker is given up, with exit code 1
    "training.max_steps=8",
    "checkpoint.every_steps=100",
    "evaluation.every_steps=100",
    "evaluation.at_end=false",
)


@pytest.fixture
def short(make_run: MakeRun) -> Run:
    """A run of eight steps."""
    return make_run("short", *SHORT)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> dict[int, float | None]:
    """The losses of the short run, never disturbed."""
    with run_maker(tmp_path_factory.mktemp("undisturbed"), tiny_checkpoint, shapes) as make:
        whole = make("whole", *SHORT)
        whole.finish()
        return whole.losses()


def console_says(text: str) -> Callable[[Run], bool]:
    return lambda run: text in run.layout.console.read_text()


def test_fault_10_sigterm_in_the_middle_of_a_backward_ends_the_step_and_saves(
    short: Run, undisturbed: dict[int, float | None]
):
    process = short.start(faulty_rank.sigterm_in_backward)
    short.ends_with(3, process, seconds=120)
    assert [event.step for event in short.of(Step)] == [1, 2]
    (published,) = short.of(CheckpointPublished)
    assert (published.step, published.reason) == (2, "signal")
    assert verify_checkpoint(short.layout.checkpoint(2)).step == 2
    assert json.loads((short.layout.final / "run.json").read_text())["partial"] is True
    short.finish()
    assert [event.step for event in short.of(Step)] == list(range(1, 9))
    assert short.losses() == undisturbed


def test_fault_11_a_second_stop_while_saving_leaves_as_soon_as_the_checkpoint_is_whole(short: Run):
    short.configure("checkpoint.every_steps=4")
    process = short.start_until(console_says("saving step 4"), faulty_rank.slow_save)
    send_command(short.layout, 1, "stop")  # what the supervisor makes of the first SIGINT,
    process.terminate()  # and of the second
    short.ends_with(3, process, seconds=120)
    assert short.of(CheckpointPublished)[0].step == 4
    assert verify_checkpoint(short.layout.checkpoint(4)).step == 4
    assert [it.name for it in short.layout.checkpoints.iterdir()] == ["step-00000004"]
    assert short.of(Step)[-1].step == 4
    assert not short.layout.final.exists()  # there was no time for it
    assert short.of(CommandDone)


def test_fault_12_sigusr1_to_all_processes_of_a_run_is_a_checkpoint_and_it_goes_on(
    short: Run, undisturbed: dict[int, float | None]
):
    short.configure("data.workers=1")
    process = short.start_until(lambda run: run.last_step() >= 2)
    os.killpg(process.pid, signal.SIGUSR1)  # as SLURM does, to data workers too
    short.ends_with(0, process)
    published = {event.reason: event.step for event in short.of(CheckpointPublished)}
    assert 2 <= published["command"] < published["end"] == 8
    assert verify_checkpoint(short.layout.checkpoint(published["command"])).step >= 2
    assert short.losses() == undisturbed


@pytest.mark.parametrize(
    ("fault", "workers", "asks", "steps"),
    [
        (faulty_rank.stuck_in_training, 1, "command", 1),
        (faulty_rank.stuck_in_training, 0, "signal", 1),
        (faulty_rank.stuck_in_validation, 1, "signal", 3),
    ],
)
def test_fault_13_a_stop_is_obeyed_while_the_data_is_stuck(
    short: Run,
    undisturbed: dict[int, float | None],
    fault: Main,
    workers: int,
    asks: str,
    steps: int,
):
    short.configure(
        f"data.workers={workers}", "evaluation.every_steps=3", "evaluation.batch_size=1"
    )
    process = short.start_until(console_says("stuck"), fault)
    wait_until(lambda: short.last_step() == steps)
    send_command(short.layout, 1, "stop") if asks == "command" else process.terminate()
    short.ends_with(3, process, seconds=120)
    (published,) = short.of(CheckpointPublished)
    assert (published.step, published.reason) == (steps, "stop" if asks == "command" else "signal")
    short.configure()
    short.finish()
    assert [event.step for event in short.of(Step)] == list(range(1, 9))
    assert short.losses() == undisturbed


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_fault_11_a_third_sigint_while_saving_ends_the_run_and_leaves_the_checkpoint_before(
    short: Run, undisturbed: dict[int, float | None]
):
    short.configure("checkpoint.every_steps=2")
    supervisor = short.start_until(
        console_says("saving step 4"), partial(faulty_rank.supervised, "endless_save")
    )
    for rungs in (1, 2, 3):
        supervisor.send_signal(signal.SIGINT)
        wait_until(lambda: len(short.of(StopRung)) == rungs)  # noqa: B023
    short.ends_with(1, supervisor, seconds=60)
    assert [it.rung for it in short.of(StopRung)] == ["asked", "sigterm", "sigkill"]
    (end,) = short.of(Exit)
    assert (end.state, end.signal, end.step) == ("crashed", "SIGKILL", 4)
    assert "the stop took too long" in end.message
    noted: list[AnyEvent] = []
    newest = newest_verified_checkpoint(short.layout, noted.append)
    assert newest is not None
    assert (newest[1].step, noted) == (2, [])  # nothing of step 4 is named like a checkpoint
    short.finish()
    assert short.of(Resumed)[-1].step == 2
    assert short.of(CheckpointRejected) == []
    assert short.losses() == undisturbed
