"""What processes print is read in bounded bites, whatever it is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.widgets.console import BITE_BYTES, LINE_CHARACTERS, ConsoleReader


def test_a_huge_console_is_read_from_its_last_part(tmp_path: Path):
    path = tmp_path / "console.log"
    with path.open("wb") as file:
        file.truncate(2 * 2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(b"line %d\n" % n for n in range(1000)))
    reader = ConsoleReader(path)
    bite = reader.read()
    assert bite.lines[-1] == "line 999"
    assert bite.skipped_bytes > 2**31 - BITE_BYTES
    assert len(bite.lines) <= 1001


def test_a_line_of_ten_megabytes_is_cut_and_the_next_one_is_whole(tmp_path: Path):
    path = tmp_path / "console.log"
    path.write_bytes(b"first\n")
    reader = ConsoleReader(path)
    assert reader.read().lines == ("first",)
    with path.open("ab") as file:
        for _ in range(80):
            file.write(b"x" * (BITE_BYTES // 2))
            file.flush()
            unfinished = reader.read().unfinished
            assert len(unfinished) == LINE_CHARACTERS
        file.write(b"\nnext\n")
    first, second = reader.read().lines
    assert len(first) == LINE_CHARACTERS
    assert first.endswith("…")
    assert second == "next"


def test_a_progress_bar_shows_its_newest_state_while_it_runs(tmp_path: Path):
    path = tmp_path / "console.log"
    reader = ConsoleReader(path)
    assert reader.read().lines == ()
    with path.open("ab", buffering=0) as file:
        file.write(b"start\r\n  1%\r  2%")
        bite = reader.read()
        assert (bite.lines, bite.unfinished) == (("start",), "  2%")
        file.write(b"\r  3%\r")
        assert reader.read().unfinished == "  3%"
        file.write(b"  4%")
        assert reader.read().unfinished == "  4%"
        file.write(b"\r" + b"\r".join(b" %d%%" % n for n in range(20_000)) + b"\ndone\n")
        assert reader.read().lines == (" 19999%", "done")


@given(pieces=st.lists(st.text("ab\r\n", max_size=6), max_size=8))
def test_the_pieces_in_which_it_is_read_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
):
    path = tmp_path_factory.mktemp("c") / "console.log"
    path.touch()
    whole, bit_by_bit = ConsoleReader(path), ConsoleReader(path)
    lines: list[str] = []
    unfinished = ""
    for piece in pieces:
        with path.open("a", newline="") as file:
            file.write(piece)
        bite = bit_by_bit.read()
        lines += bite.lines
        unfinished = bite.unfinished
    at_once = whole.read()
    assert (tuple(lines), unfinished) == (at_once.lines, at_once.unfinished)


def test_a_truncated_console_is_read_from_its_start(tmp_path: Path):
    path = tmp_path / "console.log"
    path.write_text("a long first line\n")
    reader = ConsoleReader(path)
    reader.read()
    path.write_text("new\n")
    assert reader.read().lines == ("new",)


def test_very_many_short_lines_are_read_in_bounded_numbers(tmp_path: Path):
    path = tmp_path / "console.log"
    path.write_bytes(b"\n" * 100_000)
    bite = ConsoleReader(path).read()
    assert len(bite.lines) + bite.skipped_bytes == 100_000
    assert len(bite.lines) <= 5_000
