"""The learning rate over a run."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config.schema import ScheduleConfig, ScheduleName
from trainer.train.schedule import learning_rate, warmup_steps

NAMES: tuple[ScheduleName, ...] = ("constant", "linear", "cosine", "cosine_with_floor")


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_rises_linearly_to_the_peak(name: ScheduleName):
    config = ScheduleConfig(name=name, warmup_steps=10)
    rates = [learning_rate(config, step, 100, 1e-3) for step in range(1, 11)]
    assert rates == pytest.approx([1e-4 * step for step in range(1, 11)])


def test_the_floor_is_reached_at_the_last_step():
    config = ScheduleConfig(name="cosine_with_floor", warmup_steps=5, floor_learning_rate=5e-5)
    assert learning_rate(config, 100, 100, 2e-4) == pytest.approx(5e-5)


def test_a_floor_above_a_parts_peak_leaves_the_peak():
    config = ScheduleConfig(name="cosine_with_floor", warmup_steps=0, floor_learning_rate=1e-3)
    rates = {learning_rate(config, step, 10, 1e-4) for step in range(1, 11)}
    assert rates == {1e-4}


def test_a_warm_up_ratio_replaces_the_steps():
    assert warmup_steps(ScheduleConfig(warmup_steps=50, warmup_ratio=0.1), 200) == 20


@given(
    name=st.sampled_from(NAMES),
    total=st.integers(1, 500),
    warmup=st.integers(0, 600),
    peak=st.floats(1e-7, 1.0),
)
def test_every_step_learns_and_none_goes_above_the_peak(
    name: ScheduleName, total: int, warmup: int, peak: float
):
    config = ScheduleConfig(name=name, warmup_steps=warmup)
    rates = [learning_rate(config, step, total, peak) for step in range(1, total + 1)]
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates)
    after = rates[warmup_steps(config, total) :]
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(after))
