"""On a GPU a run keeps what it promises on the CPU; its numbers may differ by rounding."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

import trainer
from trainer.config.load import load_config
from trainer.config.schema import OptimizerName
from trainer.model.trainability import TrainabilityProof
from trainer.run.append import EventWriter
from trainer.run.events import AttemptStarted, CheckpointPublished, PartTuned, Resumed, Step
from trainer.train.prepare import prepare
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths
from trainer.train.step import take_step

OURS = Path(trainer.__file__).parent

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

COMMON = (
    "model.device=cuda",
    "batch.size=2",
    "batch.accumulation=2",
    "data.workers=2",
    "tune.vision=lora",
    "tune.aligner=lora",
    "schedule.warmup_steps=5",
    "evaluation.every_steps=10",
    "evaluation.generated_samples=1",
    "generation.max_new_tokens=4",
    "training.max_steps=20",
    "checkpoint.every_steps=6",
)
METHODS = {
    "lora-bf16": ("model.quantization=none",),
    "nf4": ("model.quantization=nf4",),
    "int8": ("model.quantization=int8",),
    "full-fp32-masters": (
        *("model.quantization=none", "tune.vision=full", "tune.aligner=full"),
        *("tune.language=full", "optimizer.name=adamw", "model.activation_checkpointing=true"),
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_killed_on_the_gpu_goes_on_with_the_same_numbers(make_run: Callable, method: str):
    whole = make_run(f"{method}-whole", *COMMON, *METHODS[method])
    whole.finish()
    killed = make_run(f"{method}-killed", *COMMON, *METHODS[method])
    killed.kill_at(lambda run: run.last_step() >= 9)
    killed.finish()

    assert whole.of(AttemptStarted)[0].devices[0] == torch.cuda.get_device_name(0)
    assert killed.of(Resumed)[-1].step >= 6
    assert list(killed.losses()) == list(range(1, 21))
    assert killed.losses() == pytest.approx(whole.losses(), rel=2e-2)
    if method in ("nf4", "int8"):
        tuned = {event.part: event.quantized_layers for event in whole.of(PartTuned)}
        assert tuned == {"vision": 0, "aligner": 0, "language": 28}


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_every_optimizer_is_restored_on_the_gpu(make_run: Callable, name: str):
    options = (*COMMON, "training.max_steps=8", "checkpoint.every_steps=4")
    options = (*options, f"optimizer.name={name}", "evaluation.at_end=false")
    whole = make_run("whole", *options)
    whole.finish()
    killed = make_run("killed", *options)
    killed.kill_at(lambda run: any(it.step == 4 for it in run.of(CheckpointPublished)))
    killed.finish()
    assert killed.of(Resumed)[-1].step >= 4
    assert killed.losses() == pytest.approx(whole.losses(), rel=2e-2)


def test_the_first_loss_on_the_gpu_is_that_of_the_cpu(make_run: Callable):
    options = (*COMMON, "model.dtype=fp32", "model.quantization=none", "training.max_steps=1")
    losses = []
    for device in ("cpu", "cuda"):
        run = make_run(device, *options, f"model.device={device}", "tune.dropout=0")
        run.finish()
        losses.append(run.losses()[1])
    # Convolutions may use TF32, whose mantissa has ten bits.
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_plain_peft_loads_the_adapter_on_the_gpu(make_run: Callable, tiny_checkpoint: str):
    run = make_run("adapter", *COMMON, "model.quantization=none", "batch.largest_first=true")
    run.finish()
    base = AutoModelForImageTextToText.from_pretrained(
        tiny_checkpoint, dtype=torch.bfloat16, device_map={"": 0}
    )
    tokens = torch.arange(40, device="cuda").reshape(1, -1)
    before = base(input_ids=tokens).logits
    tuned = PeftModel.from_pretrained(base, run.layout.final / "adapter").eval()
    after = tuned(input_ids=tokens).logits
    assert torch.isfinite(after).all()
    assert not torch.allclose(before, after)


def test_a_step_waits_for_the_gpu_once(make_run: Callable):
    run = make_run("waits", *COMMON, "model.quantization=none", "data.workers=0")
    layout = run.layout
    requests = Requests(layout, 1, 0)
    recorder = Recorder(EventWriter(layout.events, 1))
    setup, progress = prepare(
        RunPaths(layout, 1, supervisor_pid=0), load_config(layout.config), recorder, requests
    )
    proof = TrainabilityProof(setup.model)
    waits: list[list[str]] = []
    with setup.pool:
        for window, _ in zip(setup.windows(0), range(5), strict=False):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                try:
                    take_step(setup, progress, window, 0.0, proof)
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            ours = [it.filename for it in caught if "synchroniz" in str(it.message)]
            waits.append([name for name in ours if OURS in Path(name).parents])
    assert proof.done
    assert [len(it) for it in waits[-2:]] == [1, 1], waits


@pytest.mark.parametrize("aligner", ["frozen", "lora"])
def test_features_kept_on_the_host_train_like_a_tower_that_runs_every_time(
    make_run: Callable, aligner: str
):
    options = (*COMMON, "tune.vision=frozen", f"tune.aligner={aligner}", "tune.dropout=0")
    options = (*options, "model.quantization=none", "training.max_steps=24")
    runs = {}
    for where in ("off", "memory", "disk"):
        runs[where] = make_run(where, *options, f"model.vision_cache={where}")
        runs[where].finish()
    assert runs["memory"].losses() == pytest.approx(runs["off"].losses(), rel=2e-2)
    assert runs["disk"].losses() == pytest.approx(runs["memory"].losses(), rel=2e-2)
    steps = runs["memory"].of(Step)
    assert steps[-1].further["vision_cache_hits"] == steps[-1].images > 0
