"""Fault 1: a run that is killed again and again comes to the numbers of one left alone."""

from pathlib import Path

import pytest

from tests.faults.soak import soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


def test_fault_01_a_run_killed_fifteen_times_comes_to_the_same_numbers(tmp_path: Path):
    check(tmp_path, kills=15)


@pytest.mark.nightly
def test_fault_01_a_run_killed_two_hundred_times_comes_to_the_same_numbers(tmp_path: Path):
    check(tmp_path, kills=200)


def check(folder: Path, kills: int) -> None:
    figures = soak(folder, kills, seed=kills, workers=1)
    assert figures.is_clean, f"\n{figures}"
    assert figures.killed.total() == kills
    assert figures.verified >= kills // 2
