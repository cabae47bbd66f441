"""Measure how long it takes to attach to a long run: the first look, then all of its events.

Run it as `python tests/benchmarks/attach_speed.py [steps ...]`; a million steps need 0.6 GB.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from trainer.run.codec import encode
from trainer.run.events import AttemptStarted, Evaluation, GpuSample, Planned, Step, Telemetry
from trainer.run.layout import RunLayout

LENGTHS = (100_000, 1_000_000)
EVALUATE_EVERY = 500
TELEMETRY_SAMPLES = 86_400
GOALS_SECONDS = {100_000: 1.5, 1_000_000: 15.0}

ATTACH = """
import resource, sys, time
from pathlib import Path
started = time.perf_counter()
from trainer.run.layout import RunLayout
from trainer.run.liveness import quick_state
from trainer.run.reader import RunReader
imported = time.perf_counter()
layout = RunLayout(Path(sys.argv[1]))
quick_state(layout)
first = time.perf_counter()
quick_state(layout)
quick = time.perf_counter()
processor = time.process_time()
reader = RunReader(layout)
longest = 0.0
while not reader.caught_up:
    bite = reader.read()
    before = time.perf_counter()
    reader.apply(bite)
    longest = max(longest, time.perf_counter() - before)
done = time.perf_counter()
print(
    imported - started, first - imported, quick - first, done - quick,
    time.process_time() - processor, longest, len(reader.state.steps),
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
)
"""


def lines(steps: int) -> Iterator[bytes]:
    """Yield the events of a run as its trainer writes them."""
    yield encode(AttemptStarted(attempt=1, config={"model": {"path": "demo"}}))
    yield encode(
        Planned(
            attempt=1,
            total_steps=steps,
            steps_per_epoch=1000,
            records=16_000,
            validation_records=100,
            samples_per_step=16,
        )
    )
    for number in range(1, steps + 1):
        yield encode(step_event(number))
        if number % EVALUATE_EVERY == 0:
            yield encode(_evaluation(number))


def step_event(number: int) -> Step:
    """Return a step as a trainer writes it."""
    return Step(
        seq=number,
        time=1.7e9 + number * 1.0123,
        elapsed=number * 1.0123,
        attempt=1,
        step=number,
        epoch=number / 1000,
        loss=2.0 / (1 + number * 1e-4),
        token_accuracy=0.123456 + number * 1e-8,
        entropy=1.2345678,
        gradient_norm=0.9876543 + number % 7,
        learning_rates={"vision": 1e-5, "aligner": 2e-5, "language": 1e-4 / number},
        target_tokens=400 + number % 13,
        tokens=8_000 + number % 101,
        padding_share=0.0712345,
        samples=16,
        images=16,
        seconds=1.0123456,
        data_seconds=0.0123456,
        compute_seconds=0.9123456,
        optimizer_seconds=0.0523456,
        tokens_per_second=7_912.3456,
        samples_per_second=15.812345,
        mfu=0.4123456,
        peak_memory_bytes=71_234_567_890,
    )


def _evaluation(number: int) -> Evaluation:
    return Evaluation(
        attempt=1,
        step=number,
        loss=1.5,
        perplexity=4.5,
        token_accuracy=0.6,
        entropy=1.1,
        target_tokens=4_000,
        samples=100,
        seconds=9.5,
    )


def _sample(number: int) -> Telemetry:
    gpu = GpuSample(
        index=0,
        uuid="GPU-12345678-1234-1234-1234-123456789abc",
        name="NVIDIA H100 80GB HBM3",
        utilization=0.97,
        memory_used_bytes=71_234_567_890,
        memory_total_bytes=85_520_809_984,
        power_watts=612.345,
        power_limit_watts=700.0,
        temperature_celsius=64.0,
        sm_clock_mhz=1980,
    )
    return Telemetry(seq=number, time=1.7e9 + number, attempt=1, gpus=(gpu,), cpu_share=0.31)


def write_run(root: Path, steps: int) -> RunLayout:
    """Write the files of a run and return where they lie."""
    layout = RunLayout(root)
    root.mkdir()
    with layout.events.open("wb") as file:
        file.writelines(lines(steps))
    with layout.telemetry.open("wb") as file:
        file.writelines(encode(_sample(number)) for number in range(TELEMETRY_SAMPLES))
    return layout


def attach(layout: RunLayout) -> list[float]:
    """Attach in a process of its own and return what it measured."""
    done = subprocess.run(
        [sys.executable, "-c", ATTACH, str(layout.root)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    return [float(word) for word in done.stdout.split()]


def main(lengths: tuple[int, ...]) -> None:
    """Print the measurements."""
    with tempfile.TemporaryDirectory() as folder:
        for steps in lengths:
            started = time.perf_counter()
            layout = write_run(Path(folder) / str(steps), steps)
            written = time.perf_counter() - started
            imports, first, quick, read, processor, apply, rows, peak = attach(layout)
            assert rows == steps
            goal = GOALS_SECONDS.get(steps)
            share = f", {read / goal:.0%} of the {goal:g} s allowed" if goal else ""
            print(
                f"{steps:,} steps, {layout.events.stat().st_size / 1e6:.0f} MB "
                f"(written in {written:.0f} s): imports {imports:.2f} s, "
                f"first look {first * 1e3:.0f} ms, another {quick * 1e3:.0f} ms; all read after "
                f"{read:.2f} s{share}, {processor:.2f} s of processor time; longest apply "
                f"{apply * 1e3:.1f} ms; peak memory {peak:.0f} MB"
            )


if __name__ == "__main__":
    main(tuple(int(it) for it in sys.argv[1:]) or LENGTHS)
