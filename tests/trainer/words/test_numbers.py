"""Numbers as people read them."""

import pytest

from trainer.words.numbers import count, duration, significant, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (0.41234, "0.412"),
        (1.6e-4, "1.6e-4"),
        (2e-5, "2e-5"),
        (2.414, "2.41"),
        (12.34, "12.3"),
        (1500.4, "1,500"),
        (-0.5, "-0.500"),
    ],
)
def test_three_significant_digits(value: float | None, shown: str):
    assert significant(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.2, "0 s"), (59.6, "1 m 00 s"), (185, "3 m 05 s"), (8040, "2 h 14 m")],
)
def test_durations(seconds: float | None, shown: str):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (12, "12 B"), (1500, "1.5 kB"), (43e6, "43 MB"), (3.2e12, "3.2 TB")],
)
def test_sizes(value: float | None, shown: str):
    assert size(value) == shown


def test_counts_have_separators():
    assert count(1498) == "1,498"
