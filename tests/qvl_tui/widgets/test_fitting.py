"""Whole words only: what does not fit is left out."""

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from qvl_tui.widgets.fitting import Column, Words, fitted, table
from qvl_tui.widgets.tab_strip import Label, shortened

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


def test_long_names_of_tabs_are_cut_first_and_then_those_far_from_the_shown_one_become_numbers():
    labels = [Label(1, "Charts"), Label(2, "Checkpoints", "⚠1"), Label(3, "Log")]
    assert shortened(labels, 0, 40) == ["1 Charts", "2 Checkpoints ⚠1", "3 Log"]
    assert shortened(labels, 0, 31) == ["1 Charts", "2 Chec… ⚠1", "3 Log"]
    assert shortened(labels, 0, 24) == ["1 Charts", "2 Chec… ⚠1", "3"]
    assert shortened(labels, 2, 4) == ["1", "2 ⚠1", "3 Log"]


def test_at_80_columns_the_panes_of_a_run_can_be_told_by_their_names():
    titles = ("Charts", "System", "Samples", "Log", "Checkpoints", "Config")
    plain = [Label(number, title) for number, title in enumerate(titles, 1)]
    labels = [*plain, Label(7, "Alerts", "⚠1"), Label(8, "Skipped", "(1)")]
    assert shortened(labels, 0, 77)[4:] == ["5 Chec…", "6 Config", "7 Alerts ⚠1", "8 Skipped (1)"]
