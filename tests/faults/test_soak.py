"""Fault 1: a run that is killed again and again comes to the numbers of one left alone."""

from pathlib import Path

import pytest

from tests.faults.soak import soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


def test_fault_01_a_run_killed_three_times_comes_to_the_same_numbers(tmp_path: Path):
    figures = soak(tmp_path, kills=3, seed=24, workers=0)
    assert figures.is_clean, f"\n{figures}"
    assert figures.killed.total() == 3
    assert figures.verified > 0


@pytest.mark.nightly
@pytest.mark.parametrize("kills", [15, 200])
def test_fault_01_a_run_killed_many_times_comes_to_the_same_numbers(tmp_path: Path, kills: int):
    figures = soak(tmp_path, kills, seed=kills, workers=1)
    assert figures.is_clean, f"\n{figures}"
    assert figures.killed.total() == kills
    assert figures.verified >= kills // 2
