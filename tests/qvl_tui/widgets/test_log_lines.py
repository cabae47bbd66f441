"""Lines, the rows they take, searches in them, and text cut by cells."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from qvl_tui.widgets.cells import cells_of, cut, displayable, row_starts, rows_of
from qvl_tui.widgets.log_lines import KEPT_LINES, LogLine, LogLines, Rows, Search
from trainer.run.text import sanitise


def test_the_oldest_lines_go_and_the_top_says_where_they_are():
    lines = LogLines("older lines: qvl logs a")
    rows = Rows(lines, "all", 20)
    for start in range(0, 30_000, 500):
        lines.append(LogLine("console", f"{n} {'x' * (n % 50)}") for n in range(start, start + 500))
        rows.update()
    assert len(lines) <= KEPT_LINES
    assert lines.lines[0].text == "older lines: qvl logs a"
    assert lines[29_999].text.startswith("29999 ")
    fresh = Rows(lines, "all", 20)
    assert (rows.numbers, len(rows)) == (fresh.numbers, len(fresh))


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(max_size=60), min_size=1, max_size=12),
    width=st.integers(2, 30) | st.none(),
    needle=st.text(min_size=1, max_size=2),
)
def test_rows_and_lines_belong_together(texts: list[str], width: int | None, needle: str):
    lines = LogLines("")
    rows, search = Rows(lines, "all", width), Search(needle)
    for text in texts:  # each is unfinished first
        for unfinished in (LogLine("console", sanitise(text[:3], 99)), None):
            rows.forget_from(lines.finished)
            search.forget_from(lines.finished)
            done = [] if unfinished else [LogLine("console", sanitise(text, 99))]
            lines.append(done, unfinished)
            rows.update()
            search.update(lines, rows)
    fresh, again = Rows(lines, "all", width), Search(needle)
    again.update(lines, fresh)
    assert (len(rows), rows.numbers, search.matches) == (len(fresh), fresh.numbers, again.matches)
    for row in range(len(rows)):
        number, part = rows.at(row)
        assert rows.rows(number)[0] + part == row


@settings(max_examples=200)
@given(text=st.text(max_size=80), first=st.integers(0, 90), width=st.integers(2, 40))
def test_text_is_cut_at_cells_and_never_inside_a_character(text: str, first: int, width: int):
    text = displayable(sanitise(text, 200))
    starts = row_starts(text, width)
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert "".join(pieces) == text
    assert all(cell_len(piece) <= width for piece in pieces)
    assert len(pieces) == rows_of(text, cells_of(text), width)
    begin, end, blank = cut(text, first, width)
    assert blank + cell_len(text[begin:end]) <= width
    if text.isascii():
        assert text[begin:end] == text[first : first + width]
