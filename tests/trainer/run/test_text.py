import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.run.text import sanitise

# Text with far more controls, escape sequences and surrogates than chance would bring.
ODD = st.sampled_from(
    [
        "\x1b[31m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x9b2J",
        "\x9d",
        "\x1b",
        "\r",
        "\n",
        "\t",
        "\x00",
        "\x7f",
        "\x85",
        "\u202e",
        "\u2066",
        "\ud800",
        "\udfff",
        "\ufeff",
        "\u2028",
        "\x1bP",
        "\x1b[",
        "\U000e0041",
        "中",
        "🙂",
        "[/red]",
        "e\u0301",
        "\u200d",
    ]
)
TEXT = st.lists(ODD | st.text(st.characters(), max_size=4), max_size=12).map("".join)


@given(TEXT, st.none() | st.integers(0, 40), st.booleans())
def test_nothing_that_steers_a_terminal_is_left(text: str, limit: int | None, keep: bool):
    shown = sanitise(text, limit, keep_newlines=keep)
    steering = [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert set(steering) <= ({"\n"} if keep else set())
    assert not {c for c in shown if unicodedata.bidirectional(c) in BIDI_CONTROLS}
    assert limit is None or len(shown) <= limit


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(TEXT, st.none() | st.integers(0, 40), st.booleans())
def test_doing_it_twice_changes_nothing(text: str, limit: int | None, keep: bool):
    once = sanitise(text, limit, keep_newlines=keep)
    assert sanitise(once, limit, keep_newlines=keep) == once


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Mn", "Zs"]), max_size=30))
def test_plain_text_of_any_script_stays_as_it_is(text: str):
    fillers = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0\ufffc\ufffd"
    plain = "".join(c for c in text if c not in fillers and ord(c) < 0xE0000)
    assert sanitise(plain, None) == plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", "0;never ended"),
        ("\x1b(Bplain", "plain"),
        ("\x1bcreset", "reset"),
        ("\x1b", "\\x1b"),
        ("a\x07b\x00", "a\\x07b\\x00"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("\udcff", "\\udcff"),
        ("a\tb", "a    b"),
        ("one\ntwo\r\nthree", "one two three"),
        (" 10 %\r 50 %\r100 %\r", "100 %"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("e\u0301 👩\u200d🚀 中文", "e\u0301 👩\u200d🚀 中文"),
    ],
)
def test_known_cases_are_shown_as_expected(text: str, shown: str):
    assert sanitise(text, None) == shown


def test_newlines_stay_when_asked_for_and_progress_lines_still_collapse():
    assert sanitise("a\r\nb\n1 %\r2 %\nc", None, keep_newlines=True) == "a\nb\n2 %\nc"


@pytest.mark.parametrize(
    ("limit", "shown"), [(10, "0123456789"), (9, "01234567…"), (1, "…"), (0, "")]
)
def test_a_text_above_the_limit_ends_with_an_ellipsis(limit: int, shown: str):
    assert sanitise("0123456789", limit) == shown


def test_a_line_of_ten_megabytes_is_cut_to_the_limit():
    assert sanitise("\x1b[31mx" * 2_000_000, 80) == "x" * 79 + "…"
