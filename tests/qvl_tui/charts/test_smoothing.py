"""Smoothing is TensorBoard's average, computed for all points at once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.charts.smoothing import LEVELS, next_level, smooth

VALUES = st.lists(st.none() | st.floats(-1e300, 1e300), max_size=60)


def one_by_one(values: list[float], level: float) -> list[float]:
    averages: list[float] = []
    total, weight = 0.0, 0.0
    for value in values:
        if math.isnan(value):
            averages.append(math.nan)
            continue
        total = level * total + (1 - level) * value
        weight = level * weight + (1 - level)
        averages.append(total / weight)
    return averages


@given(VALUES, st.sampled_from(LEVELS[1:]))
def test_it_is_the_debiased_average_of_the_known_values(raw: list[float | None], level: float):
    values = [math.nan if it is None else it for it in raw]
    most = max((abs(it) for it in values if not math.isnan(it)), default=0.0)
    smoothed = smooth(np.array(values), level)
    np.testing.assert_allclose(smoothed, one_by_one(values, level), rtol=1e-9, atol=1e-12 * most)


def test_a_constant_stays_where_it_is_from_the_first_point_on():
    np.testing.assert_allclose(smooth(np.full(5000, 2.5), 0.99), 2.5)


def test_what_is_unknown_stays_unknown_and_moves_nothing():
    smoothed = smooth(np.array([1.0, math.nan, math.inf, 1.0]), 0.9)
    np.testing.assert_allclose(smoothed, [1.0, math.nan, math.nan, 1.0])


def test_off_is_the_very_same_values():
    values = np.array([1.0, math.nan, 3.0])
    assert smooth(values, 0.0) is values


def test_the_levels_go_round():
    level, seen = 0.0, []
    for _ in LEVELS:
        seen.append(level)
        level = next_level(level)
    assert (tuple(seen), level) == (LEVELS, 0.0)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 99, 100, 101])
def test_blocks_of_every_size_fit_together(count: int):
    values = np.random.default_rng(count).normal(size=count)
    np.testing.assert_allclose(smooth(values, 0.9), one_by_one(values.tolist(), 0.9))
