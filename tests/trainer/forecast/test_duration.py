"""How long a step takes is told between two bounds, or why it cannot be told."""

from typing import Any

import pytest

from trainer.config.schema import RunConfig
from trainer.forecast.checkpoint import find_checkpoint
from trainer.forecast.device import Device
from trainer.forecast.duration import StepTime, Unknown, expected_step
from trainer.forecast.records import Look
from trainer.model.cost import Extent

H200 = Device(name="NVIDIA H200", gpu=True, memory_bytes=None, free_bytes=None)
ON_CPU = Device(name="CPU", gpu=False, memory_bytes=None, free_bytes=None)
RECORDS = 96
ONE = {"tokens": 1_133, "target_tokens": 60, "visual_tokens": 1_024, "patches": 4_096}
PAIRS = {"token_pairs": 1_133**2 // 2, "patch_pairs": 4_096**2}
WHOLE = Extent(**{name: RECORDS * value for name, value in (ONE | PAIRS).items()})


def expected(model: str, on: Device, *, steps: int = 24, **options: Any) -> StepTime | Unknown:
    values = {
        "model": {"path": f"Qwen/Qwen3-VL-{model}-Instruct", **options},
        "data": {"train": ["any"]},
        "batch": {"size": 2, "accumulation": 2},
    }
    config = RunConfig.model_validate(values)
    look = Look(records=10 * RECORDS, looked_at=RECORDS, whole=WHOLE)
    return expected_step(config, find_checkpoint(config.model), look, 10 * steps, on)


@pytest.mark.parametrize(
    ("model", "quantization", "measured"),
    [("2B", "none", 0.526), ("2B", "nf4", 0.635), ("8B", "none", 0.718)],
)
def test_what_an_h200_took_lies_between_the_bounds(model: str, quantization: str, measured: float):
    """Seconds of a step: docs/benchmarks.md, 2026-11-26."""
    told = expected(model, H200, quantization=quantization)
    assert isinstance(told, StepTime)
    assert told.shortest < measured < told.longest < 4 * told.shortest
    assert "of NVIDIA H200's 989 TFLOP/s" in told.basis


def test_operations_are_those_that_the_run_counted():
    told = expected("2B", H200, quantization="none")
    assert isinstance(told, StepTime)
    assert told.operations / 0.526 / 989.4e12 == pytest.approx(0.086, rel=0.05)  # its MFU


def test_half_the_steps_an_epoch_are_twice_as_long():
    short, long = expected("8B", H200), expected("8B", H200, steps=12)
    assert isinstance(short, StepTime)
    assert isinstance(long, StepTime)
    assert long.operations == pytest.approx(2 * short.operations)


def test_checkpointing_costs_a_forward_more():
    plain, again = (
        expected("8B", H200, activation_checkpointing=it, quantization="none")
        for it in (False, True)
    )
    assert isinstance(plain, StepTime)
    assert isinstance(again, StepTime)
    assert 1.2 < again.operations / plain.operations < 1.5


def test_a_cpu_is_measured_on_the_spot():
    told = expected("2B", ON_CPU, quantization="none", dtype="fp32")
    assert isinstance(told, StepTime)
    assert "measured just now" in told.basis
    assert 0 < told.shortest < told.longest


@pytest.mark.parametrize(
    ("on", "why"),
    [
        (Device(name="RTX 9999", gpu=True, memory_bytes=None, free_bytes=None), "peak of RTX 9999"),
        (ON_CPU, "on a CPU only fp32 without quantisation"),
    ],
)
def test_what_is_not_known_is_said(on: Device, why: str):
    told = expected("2B", on)
    assert isinstance(told, Unknown)
    assert why in told.why


def test_a_model_that_is_not_known_has_no_time():
    config = RunConfig.model_validate({"model": {"path": "a/b"}, "data": {"train": ["any"]}})
    told = expected_step(config, None, Look(records=1), 1, H200)
    assert told == Unknown(why="the model's files are not on this machine")
