"""Whole words only: what does not fit is left out."""

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from qvl_tui.widgets.fitting import Column, Words, fitted, table
from qvl_tui.widgets.tab_strip import shortened

WORDS = st.lists(st.builds(Words, st.text(max_size=12).map(Content), st.integers(0, 5)), max_size=6)


def test_the_words_of_the_highest_rank_go_first_and_none_is_clipped():
    left = [Words(Content("running")), Words(Content("a long model name"), 2)]
    right = [Words(Content("epoch 2"), 1)]
    assert fitted(40, left, right).plain == "running   a long model name      epoch 2"
    assert fitted(30, left, right).plain == "running                epoch 2"
    assert fitted(10, left, right).plain == "running"


@given(WORDS, WORDS, st.integers(0, 80))
def test_a_line_is_never_wider_than_its_room(left: list[Words], right: list[Words], width: int):
    assert fitted(width, left, right).cell_length <= width


def test_a_table_leaves_out_columns_and_only_cuts_the_one_that_stretches():
    columns = [Column("step", 0, right=True), Column("age", 2), Column("why", 1, stretch=True)]
    rows = [[Content("1,200"), Content("3 m"), Content("a reason that goes on and on")]]
    head, lines = table(60, columns, rows)
    assert head.plain == " step  age  why"
    assert lines[0].plain == "1,200  3 m  a reason that goes on and on"
    _, lines = table(26, columns, rows)
    assert lines[0].plain == "1,200  3 m  a reason that…"
    _, lines = table(22, columns, rows)
    assert lines[0].plain == "1,200  a reason that …"


def test_names_of_tabs_far_from_the_shown_one_become_numbers_first():
    full, short = ["1 Charts", "2 System", "3 Samples"], ["1", "2", "3"]
    assert shortened(full, short, 0, 40) == full
    assert shortened(full, short, 0, 22) == ["1 Charts", "2 System", "3"]
    assert shortened(full, short, 2, 4) == ["1", "2", "3 Samples"]
