from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.run import spread
from trainer.run.spread import spread_lines

LINES = st.lists(st.binary(max_size=12).map(lambda it: it.replace(b"\n", b"")), max_size=60)


@given(lines=LINES, most=st.integers(0, 40), window=st.integers(1, 40))
def test_only_whole_lines_come_each_once_in_their_order_and_not_too_many(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], most: int, window: int
):
    path = tmp_path_factory.mktemp("file") / "lines"
    numbered = [b"%d:%b" % (number, line) for number, line in enumerate(lines)]
    content = b"".join(line + b"\n" for line in numbered)
    path.write_bytes(content + b"torn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "WINDOW_BYTES", window)
        found = spread_lines([(path, len(content))], most)
    assert set(found) <= set(numbered)
    places = [int(line.partition(b":")[0]) for line in found]
    assert places == sorted(set(places))
    assert len(found) <= most


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path):
    assert spread_lines([(tmp_path / "none", 0)], 5) == []
    assert spread_lines([(tmp_path / "gone", 100)], 5) == []
