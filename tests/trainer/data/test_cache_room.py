"""The cache goes back to its limit, the longest unused first, and never loses what is at work."""

import gc
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.data.cache_room import DAY_SECONDS, UNUSED_SECONDS, make_room
from trainer.data.index import index_file
from trainer.data.index_cache import cached_index

Keep = Callable[[str, float], Path]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Put 1,000 bytes into the cache, used so many days ago."""

    def make(name: str, days: float) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1_000))
        then = time.time() - days * DAY_SECONDS
        for each in (path, path.parent) if name.startswith("shards") else (path,):
            os.utime(each, (then, then))
        return path

    return make


def test_what_nobody_used_for_long_goes_though_there_is_room(tmp_path: Path, keep: Keep):
    long_ago = UNUSED_SECONDS / DAY_SECONDS + 1
    old = [keep("index-a.npz", long_ago), keep("checks/a.json", long_ago)]
    old.append(keep("shards/a/000000.check.npz", long_ago))
    young = [keep("index-b.npz", 59), keep("checks/b.json", 59), keep("shards/b/0.check.npz", 59)]
    assert len(make_room(tmp_path)) == 3
    assert not any(it.exists() for it in old)
    assert all(it.exists() for it in young)


def test_above_the_limit_the_longest_unused_goes_first(tmp_path: Path, keep: Keep):
    paths = [keep(f"shards/{number}/0.check.npz", 10 + number) for number in range(6)]
    make_room(tmp_path, limit_bytes=2_500)
    assert [it.exists() for it in paths] == [True, True, False, False, False, False]


def test_what_was_used_within_a_day_stays_however_much_it_is(tmp_path: Path, keep: Keep):
    paths = [keep(f"shards/{number}/0.check.npz", 0.5) for number in range(4)]
    assert make_room(tmp_path, limit_bytes=0) == []
    assert all(it.exists() for it in paths)


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path, keep: Keep):
    keep("shards/a/0.check.npz", 0)
    paths = [keep("tmp-x", 2), keep("tmp-y", 0)]
    make_room(tmp_path)
    assert [it.exists() for it in paths] == [False, True]


def test_other_files_are_not_ours_to_delete(tmp_path: Path, keep: Keep):
    others = [keep("models/weights", 900), keep("notes.txt", 900)]
    assert make_room(tmp_path, limit_bytes=0) == []
    assert all(it.exists() for it in others)


def test_an_index_that_is_read_counts_as_used(tmp_path: Path):
    data, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    data.write_text('{"prompt": "1", "response": "2"}\n')
    index_file(data, cache_dir=cache)
    (kept,) = cache.glob("index-*.npz")
    os.utime(kept, (1, 1))
    assert index_file(data, cache_dir=cache).cached
    assert time.time() - kept.stat().st_mtime < DAY_SECONDS


def test_a_damaged_index_is_closed_again(tmp_path: Path):
    data, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    data.write_text('{"prompt": "1", "response": "2"}\n')
    index_file(data, cache_dir=cache)
    (kept,) = cache.glob("index-*.npz")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # Python tells of a file that nobody closed
        for damaged in (b"PK\x03\x04" + bytes(50), b"\x93NUMPY", bytes(100)):
            kept.write_bytes(damaged)
            assert cached_index(cache, data, data.stat()) is None
        gc.collect()
    assert [it for it in told if it.category is ResourceWarning] == []
