"""Readers of what comes from outside neither crash, hang nor keep memory, whatever they read."""

import os
import subprocess
import sys
import time

import pytest

from tests.faults.fuzz.targets import TARGETS

NIGHTLY_SECONDS = 600.0


def fuzz(reader: str, seconds: float, seed: int = 0) -> None:
    """Fuzz in a process of its own: a crash then names itself, and memory is measured alone."""
    command = [sys.executable, "-m", "tests.faults.fuzz", reader, str(seconds)]
    command += ["--seed", str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 2 + 120)
    assert run.returncode == 0, f"seed {seed}\n{run.stdout}\n{run.stderr}"


# What becomes of a sample is tried faster by odd values.
@pytest.mark.parametrize("reader", sorted(TARGETS.keys() - {"samples"}))
def test_a_reader_stands_broken_input_for_some_time(reader: str):
    fuzz(reader, float(os.environ.get("QVL_FUZZ_SECONDS", "20")))


@pytest.mark.nightly
@pytest.mark.timeout(2 * NIGHTLY_SECONDS)
@pytest.mark.parametrize("reader", TARGETS)
def test_a_reader_stands_broken_input_for_ten_minutes(reader: str):
    fuzz(reader, NIGHTLY_SECONDS, seed=time.time_ns())  # other inputs every night
