"""Which records make which step."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from trainer.data.order import Plan

SHA = "5f" * 32


def epoch(plan: Plan, number: int) -> list[int]:
    first = number * plan.steps_per_epoch
    windows = (plan.micro_batches(first + step) for step in range(plan.steps_per_epoch))
    return list(chain.from_iterable(chain.from_iterable(windows)))


@given(
    records=st.integers(1, 60),
    size=st.integers(1, 5),
    accumulation=st.integers(1, 4),
    seed=st.integers(0, 2**63 - 1),
    number=st.integers(0, 3),
)
def test_an_epoch_holds_every_record_once(
    records: int, size: int, accumulation: int, seed: int, number: int
):
    plan = Plan(records, size, accumulation, seed, SHA)
    assert sorted(epoch(plan, number)) == list(range(records))
    window = number * plan.steps_per_epoch
    assert plan.epoch_of(window) == number
    assert all(1 <= len(batch) <= size for batch in plan.micro_batches(window))
    assert len(plan.micro_batches(window)) <= accumulation


def test_epochs_seeds_and_data_have_orders_of_their_own():
    plan = Plan(50, 1, 4, 7, SHA)
    orders = [
        epoch(plan, 0),
        epoch(plan, 1),
        epoch(Plan(50, 1, 4, 8, SHA), 0),
        epoch(Plan(50, 1, 4, 7, "60" * 32), 0),
    ]
    assert len({tuple(order) for order in orders}) == 4
    assert epoch(Plan(50, 1, 4, 7, SHA), 0) == orders[0]


def test_the_order_is_the_same_on_every_machine_and_in_every_version():
    assert Plan(10, 4, 1, 0, SHA).micro_batches(0) == ((7, 2, 0, 9),)
    assert Plan(10, 4, 1, 0, SHA).micro_batches(5) == ((0, 8),)


def test_batch_and_accumulation_may_be_traded_without_changing_a_window():
    four_by_one, one_by_four = Plan(10, 4, 1, 3, SHA), Plan(10, 1, 4, 3, SHA)
    for window in range(6):
        assert list(chain(*four_by_one.micro_batches(window))) == list(
            chain(*one_by_four.micro_batches(window))
        )


def test_the_short_last_window_of_an_epoch_is_kept():
    plan = Plan(10, 2, 2, 0, SHA)
    assert plan.steps_per_epoch == 3
    assert [len(plan.micro_batches(window)) for window in range(3)] == [2, 2, 1]
    assert plan.epochs_done(3) == 1.0
    assert plan.epochs_done(4) == 1.4
