"""A resumed run gives the very same numbers."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.run.events import CheckpointPublished, Evaluation, Resumed, Step

# 180 records in micro-batches of 2, 3 a step: 30 steps an epoch, so 60 steps are two epochs.
COMMON = (
    "batch.size=2",
    "batch.accumulation=3",
    "data.workers=2",
    "tune.vision=lora",
    "tune.aligner=lora",
    "tune.dropout=0.1",
    "schedule.warmup_steps=5",
    "evaluation.every_steps=9",
    "evaluation.generated_samples=1",
    "generation.max_new_tokens=4",
    "checkpoint.every_steps=7",
)
OPS = """[
  {name: flip}, {name: rotate}, {name: crop, params: {area: 0.4, prob: 0.9, min_coverage: 0.6}},
  {name: brightness}, {name: noise}, {name: jpeg}
]""".replace("\n", "")


def weights(run) -> dict[str, bytes]:  # noqa: ANN001
    final: Path = run.layout.final
    found = {
        str(path.relative_to(final)): path.read_bytes() for path in final.rglob("*.safetensors")
    }
    assert found
    return found


def dropped(run) -> list[float | None]:  # noqa: ANN001
    """Objects that augmentation left out, step by step, as the last attempt tells."""
    steps = {event.step: event.further.get("objects_dropped", 0.0) for event in run.of(Step)}
    return [steps[number] for number in sorted(steps)]


def interrupt(run, seed: int, steps: int, epoch: int) -> None:  # noqa: ANN001
    """Kill before the first checkpoint, at random, right across an epoch, at random; then stop."""
    rng = random.Random(seed)
    run.kill_at(lambda run: run.last_step() >= 3)
    for moment in (rng.randrange(8, epoch), epoch, rng.randrange(epoch + 8, steps - 8)):
        run.kill_at(lambda run, moment=moment: run.last_step() >= moment)
    run.stop_at(lambda run: run.last_step() >= steps - 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lora", ("model.dtype=fp32", "model.quantization=none", "optimizer.name=adamw")),
        ("qlora", ("model.dtype=fp32", "model.quantization=nf4", "optimizer.name=adamw_8bit")),
        (
            "dense-packed-checkpointed",
            (
                *("model.quantization=none", "optimizer.name=adamw", "data.train_samples=210"),
                *("data.dense.images_per_user_turn=2", "data.dense.summary_ratio=0.4"),
                *(f"data.augmentation.ops={OPS}", "batch.packing=pack", "batch.tokens=900"),
                "model.activation_checkpointing=true",
            ),
        ),
    ],
)
def test_a_run_killed_four_times_and_stopped_once_equals_one_that_was_not(
    make_run: Callable, name: str, options: tuple[str, ...], mixed_shapes: Path, dense_shapes: Path
):
    # 60 dense records in twos beside 150 others are 180 samples too.
    data = (
        f"data.train={[str(dense_shapes), str(mixed_shapes)] if name == 'dense' else mixed_shapes}"
    )
    steps, epoch = 60, 30
    common = (*COMMON, *options, data, f"training.max_steps={steps}")
    whole = make_run(f"{name}-whole", *common)
    whole.finish()
    killed = make_run(f"{name}-killed", *common)
    interrupt(killed, seed=11, steps=steps, epoch=epoch)
    killed.finish()

    assert list(whole.losses()) == list(range(1, steps + 1))
    assert killed.losses() == whole.losses()
    assert weights(killed) == weights(whole)
    assert dropped(killed) == dropped(whole)
    assert any(dropped(whole)) == (name == "dense")
    assert killed.of(Resumed)[0].step == 0
    assert killed.of(Resumed)[-2].step > epoch
    assert [event.reason for event in killed.of(CheckpointPublished)].count("signal") == 1
    whole_evaluations = {event.step: event.loss for event in whole.of(Evaluation)}
    assert {event.step: event.loss for event in killed.of(Evaluation)} == whole_evaluations


@pytest.mark.slow
def test_full_training_resumes_bit_for_bit_without_workers(make_run: Callable):
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
