"""A column does what a list does, and nobody who looks at it sees it change."""

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.run.column import ROWS_OF_PAGES, Column

NUMBERS = st.lists(st.integers(0, 9).map(float), max_size=200)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 9).map(float)),
        st.tuples(st.just("extend"), NUMBERS),
        st.tuples(st.just("cut"), st.integers(0, 300)),
        st.tuples(st.just("drop_first"), st.integers(0, 300)),
        st.tuples(st.just("view"), st.none()),
    ),
    max_size=40,
)


@given(CHANGES)
def test_a_column_holds_what_a_list_would_and_a_view_what_it_held(changes: list[tuple[str, Any]]):
    column = Column()
    expected: list[float] = []
    views: list[tuple[memoryview[float], list[float]]] = []
    for change, value in changes:
        match change:
            case "append":
                column.append(value)
                expected.append(value)
            case "extend":
                column.extend(array("d", value))
                expected += value
            case "cut":
                column.cut(value)
                del expected[value:]
            case "drop_first":
                column.drop_first(value)
                del expected[:value]
            case _:
                views.append((column.view(), list(expected)))
        assert len(column) == len(expected)
        assert list(column.glance()) == expected
        for view, seen in views:
            assert list(view) == seen


def test_a_column_of_many_rows_grows_under_those_who_look_at_it():
    column = Column(array("d", range(ROWS_OF_PAGES)))
    view = column.view()
    for number in range(3 * ROWS_OF_PAGES):
        column.append(-number)
    assert list(view) == list(range(ROWS_OF_PAGES))
    assert column.view()[ROWS_OF_PAGES - 1 : ROWS_OF_PAGES + 2].tolist() == [
        ROWS_OF_PAGES - 1,
        0.0,
        -1.0,
    ]


def test_nobody_writes_through_a_view():
    with pytest.raises(TypeError):
        Column(array("d", [1.0])).view()[0] = 2.0
