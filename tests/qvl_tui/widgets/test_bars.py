"""Shares drawn as characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from qvl_tui.widgets.bars import bar, history, progress_line


@pytest.mark.parametrize(
    ("share", "width", "drawn"),
    [(0.0, 4, "────"), (0.5, 4, "━━──"), (0.375, 4, "━╸──"), (1.0, 4, "━━━━"), (0.5, 0, "")],
)
def test_a_progress_line_is_exact_to_half_a_cell(share: float, width: int, drawn: str):
    assert "".join(progress_line(share, width)) == drawn


def test_a_bar_is_exact_to_an_eighth_of_a_cell_and_blank_for_the_unknown():
    assert bar(0.5, 8) == "████    "
    assert bar(1 / 64, 8) == "▏       "
    assert bar(None, 3) == "   "


def test_a_history_is_as_high_as_its_shares_and_blank_where_nothing_is_known():
    assert history([0.0, 0.5, 1.0, None]) == "▁▅█ "


@given(st.floats(allow_nan=False), st.integers(0, 300))
def test_whatever_the_share_lines_and_bars_are_as_wide_as_they_should(share: float, width: int):
    assert cell_len("".join(progress_line(share, width))) == width
    assert cell_len(bar(share, width)) == width
