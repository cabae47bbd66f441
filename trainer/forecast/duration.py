"""Forecast how long a step takes from what it computes and what the device can do.

The formula, for the shortest and the longest time:

    operations of a step / (share x rate) + seconds x layers x micro-batches

- operations: as counted from the shapes, forward, backward and what checkpointing repeats.
- rate: of a GPU the peak of `trainer.model.peaks`; of the CPU what a product of matrices reaches
  here and now.
- share: how much of the rate the products of a step reach: of a GPU's peak 0.5 to 0.2, of the
  CPU's products 0.8 to 0.3.
- seconds: of the host for every layer of tower and language model, which it has to launch: on a
  GPU 2.5 to 6 ms, on the CPU 0.2 to 2.5 ms.

What it rests on: LoRA on 2B and 8B on one H200 took 5.1 and 5.7 ms a layer at batch 2, most of it
the host's, see docs/benchmarks.md; other GPUs were not measured. The CPU is measured by
tests/benchmarks/time_forecast.py.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from trainer.config.schema import RunConfig
from trainer.forecast.checkpoint import Checkpoint
from trainer.forecast.device import Device
from trainer.forecast.operations import cost_by_headers
from trainer.forecast.records import Look
from trainer.model.peaks import peak_flops

SIDE = 1024  # of the matrices that are multiplied
MEASURING_SECONDS = 0.2


@dataclass(frozen=True)
class Host:
    """From the best to the worst that is usual: share of the rate, and seconds a layer."""

    shares: tuple[float, float]
    layer_seconds: tuple[float, float]

    def bounds(self, operations: int, rate: float, launches: int) -> tuple[float, float]:
        """Return the shortest and the longest seconds for operations in launched layers."""
        shortest, longest = (
            operations / (share * rate) + seconds * launches
            for share, seconds in zip(self.shares, self.layer_seconds, strict=True)
        )
        return shortest, longest


GPU = Host(shares=(0.5, 0.2), layer_seconds=(0.0025, 0.006))
CPU = Host(shares=(0.8, 0.3), layer_seconds=(0.0002, 0.0025))


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Between which times a step is expected to lie, in seconds."""

    shortest: float
    longest: float
    operations: int  # of a step
    basis: str  # what it rests on


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """No time can be told."""

    why: str


def expected_step(
    config: RunConfig, checkpoint: Checkpoint | None, look: Look, steps_per_epoch: int, on: Device
) -> StepTime | Unknown:
    """Return what a step takes on a device, as far as shapes tell."""
    if checkpoint is None:
        return Unknown(why="the model's files are not on this machine")
    operations = operations_of_a_step(config, checkpoint, look, steps_per_epoch)
    if operations is None:
        return Unknown(why="the files of a quantised model do not tell its shapes")
    if not operations:
        return Unknown(why="no record can be used")
    host, rate, basis = _rate(config, on)
    if rate is None:
        return Unknown(why=basis)
    layers = checkpoint.layers + checkpoint.vision_layers
    launches = layers * config.batch.accumulation
    shortest, longest = host.bounds(operations, rate, launches)
    return StepTime(shortest=shortest, longest=longest, operations=operations, basis=basis)


def operations_of_a_step(
    config: RunConfig, checkpoint: Checkpoint, look: Look, steps_per_epoch: int
) -> int | None:
    """Return forward, backward and recomputation of a usual step; None: shapes are not known."""
    cost = cost_by_headers(config, checkpoint)
    if cost is None:
        return None
    whole = replace(look.whole, window_pairs=look.whole.patches * (cost.window or 0) ** 2)
    epoch = cost.flops(whole)
    steps_looked_at = max(1, look.looked_at) / max(1, look.records) * steps_per_epoch
    return round((epoch.model + epoch.recomputed) / steps_looked_at)


def _rate(config: RunConfig, on: Device) -> tuple[Host, float | None, str]:
    """Return operations a second, and what they rest on; None: why they are not known."""
    model = config.model
    if on.gpu:
        rate = peak_flops(on.name, model.dtype)
        if rate is None:
            return GPU, None, f"the peak of {on.name} is not known"
        shares = " to ".join(f"{share:.0%}" for share in GPU.shares)
        return GPU, rate, f"{shares} of {on.name}'s {rate / 1e12:,.0f} TFLOP/s"
    if model.dtype != "fp32" or model.quantization != "none":
        return CPU, None, "on a CPU only fp32 without quantisation is forecast"
    rate = product_rate()
    return CPU, rate, f"products of matrices at {rate / 1e9:,.0f} GFLOP/s, measured just now"


def product_rate(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the operations a second of products in fp32 on this machine's processors."""
    left = np.ones((SIDE, SIDE), dtype=np.float32)
    best, until = float("inf"), time.perf_counter() + MEASURING_SECONDS
    while time.perf_counter() < until:
        started = clock()
        np.matmul(left, left)
        best = min(best, clock() - started)
    return 2 * SIDE**3 / best
