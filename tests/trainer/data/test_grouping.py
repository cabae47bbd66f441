"""Which records make which sample."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.grouping import Grouping

SHA = "5f" * 32


def grouping(records: int, *dense: range, size: int = 1, ratio: float = 0.0, seed: int = 0):
    return Grouping(records, dense, size, ratio, seed, SHA)


def members(made: Grouping, epoch: int | None) -> list[tuple[int, ...]]:
    return [made.members(sample, epoch) for sample in range(len(made))]


@given(
    plain=st.integers(0, 9),
    dense=st.integers(0, 30),
    more=st.integers(0, 5),
    size=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.none() | st.integers(0, 3),
)
def test_every_record_is_in_one_sample_of_an_epoch_and_only_dense_ones_share(
    plain: int, dense: int, more: int, size: int, seed: int, epoch: int | None
):
    records = plain + dense + more
    made = grouping(records, range(plain, plain + dense), size=size, seed=seed)
    samples = members(made, epoch)
    assert sorted(chain.from_iterable(samples)) == list(range(records))
    shared = [group for group in samples if len(group) > 1]
    assert all(plain <= record < plain + dense for group in shared for record in group)
    assert all(len(group) <= size for group in samples)
    short = [group for group in samples if len(group) < size and plain <= group[0] < plain + dense]
    assert len(short) <= 1 or size == 1
    again = grouping(records, range(plain, plain + dense), size=size, seed=seed)
    assert [again.members(it, epoch) for it in reversed(range(len(again)))] == samples[::-1]


def test_groups_are_dealt_anew_in_every_epoch_and_lie_as_they_are_without_one():
    made = grouping(10, range(10), size=3)
    assert members(made, None) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9,)]
    dealt = [
        members(made, 0),
        members(made, 1),
        members(grouping(10, range(10), size=3, seed=1), 0),
    ]
    assert len({str(each) for each in dealt}) == 3


def test_the_deal_is_the_same_on_every_machine_and_in_every_version():
    assert members(grouping(7, range(1, 7), size=2, seed=3), 5) == [(0,), (3, 5), (6, 2), (1, 4)]
    made = grouping(6, range(6), ratio=0.5, seed=3)
    assert [made.summarised(sample, 5) for sample in range(6)] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_summaries_are_asked_for_in_their_share_of_the_samples(ratio: float):
    made = grouping(4000, range(4000), ratio=ratio)
    asked = Counter(made.summarised(sample, epoch) for sample in range(2000) for epoch in (0, 1))
    assert abs(asked[True] / 4000 - ratio) < 0.03 * (0 < ratio < 1) + 1e-9


def test_the_largest_samples_are_those_of_the_epoch():
    made = grouping(7, range(1, 7), size=2, seed=3)
    sizes = np.array([5, 1, 2, 3, 40, 6, 7])
    totals = {it: sum(sizes[member] for member in made.members(it, 0)) for it in range(len(made))}
    assert made.largest(sizes, 2, epoch=0) == tuple(sorted(totals, key=lambda it: -totals[it])[:2])
    assert grouping(7).largest(sizes, 2, epoch=0) == (4, 6)
