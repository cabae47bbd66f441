"""Which samples share a micro-batch follows from their sizes, and stays within the limits."""

from itertools import chain, combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from trainer.data.packing import MOST_PADDING, Size, best_fit, by_length

LIMIT = Size(100, 400)
sizes_of_samples = st.lists(
    st.builds(Size, st.integers(1, 130), st.integers(0, 500)), min_size=1, max_size=24
)


def total(sizes: list[Size], places: list[int]) -> Size:
    return Size(sum(sizes[it].tokens for it in places), sum(sizes[it].patches for it in places))


@given(sizes_of_samples)
def test_every_sample_has_one_place_and_rows_stay_within_the_limits(sizes: list[Size]):
    rows = best_fit(sizes, LIMIT)
    assert sorted(chain(*rows)) == list(range(len(sizes)))
    for row in rows:
        assert row == sorted(row)
        assert len(row) == 1 or total(sizes, row).fits(LIMIT)


@given(sizes_of_samples)
def test_no_two_rows_could_be_one(sizes: list[Size]):
    for one, other in combinations(best_fit(sizes, LIMIT), 2):
        assert not total(sizes, one + other).fits(LIMIT)


@given(sizes_of_samples)
def test_grouped_batches_stay_within_the_limits_with_their_padding(sizes: list[Size]):
    batches = by_length(sizes, LIMIT)
    assert sorted(chain(*batches)) == list(range(len(sizes)))
    for batch in batches:
        padded = len(batch) * max(sizes[it].tokens for it in batch)
        assert len(batch) == 1 or Size(padded, total(sizes, batch).patches).fits(LIMIT)


@given(sizes_of_samples)
def test_a_grouped_batch_holds_neighbours_in_length(sizes: list[Size]):
    spans = sorted(
        (min(sizes[it].tokens for it in batch), max(sizes[it].tokens for it in batch))
        for batch in by_length(sizes, LIMIT)
    )
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(sizes_of_samples)
def test_little_of_a_grouped_batch_is_padding(sizes: list[Size]):
    for batch in by_length(sizes, LIMIT):
        padded = len(batch) * max(sizes[it].tokens for it in batch)
        assert padded - total(sizes, batch).tokens <= MOST_PADDING * padded


def test_a_short_sample_is_not_padded_to_a_long_one_though_there_is_room():
    sizes = [Size(30, 0), Size(5, 0), Size(28, 0)]
    assert by_length(sizes, LIMIT) == [[0, 2], [1]]


def test_a_sample_goes_where_least_is_left_over():
    tokens = (60, 70, 25, 39)  # 39 fits beside 60 alone, 25 beside 70
    assert best_fit([Size(it, 0) for it in tokens], LIMIT) == [[0, 3], [1, 2]]


def test_patches_fill_a_row_as_tokens_do():
    sizes = [Size(10, 300), Size(10, 101), Size(10, 100)]
    assert best_fit(sizes, LIMIT) == [[0, 2], [1]]
    assert by_length(sizes, LIMIT) == [[0], [1, 2]]
