"""A feed reads what comes, bite by bite, whatever happens to the files."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from qvl_tui.feed import Feed, Reader
from tests.qvl_tui.recorded import Recipe, live, record_run, step_event
from trainer.run.append import EventWriter
from trainer.run.events import Notice


def test_a_feed_knows_all_that_the_files_hold(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=400, end="finished")
    feed = Feed.of(layout)
    assert (feed.state.step, feed.status.state, len(feed.state.steps)) == (400, "finished", 400)
    assert feed.loaded
    assert feed.loading_share == 1.0
    assert feed.event_count == len(feed.events) > 10


def test_the_version_grows_with_what_comes_and_stays_without(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=10)
    with live(layout):
        feed = Feed.of(layout)
        before = feed.version
        feed.take(feed.bite())
        feed.judge()
        assert feed.version == before
        with EventWriter(layout.events, 1) as writer:
            writer.write(step_event(11, Recipe()))
        feed.take(feed.bite())
        assert feed.version > before
        assert feed.state.step == 11


def test_a_replaced_file_is_read_anew(tmp_path: Path):
    layout = record_run(tmp_path / "a", "shapes", steps=50)
    other = record_run(tmp_path / "b", "shapes", steps=7)
    with live(layout):
        feed = Feed.of(layout)
        other.events.replace(layout.events)
        for _ in range(4):
            feed.take(feed.bite())
        assert len(feed.state.steps) == 7


def test_the_end_of_a_run_that_died_without_a_word_is_noticed(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=10)
    with live(layout):
        feed = Feed.of(layout)
        assert feed.status.state == "running"
    feed.judge()
    assert feed.status.state == "crashed"


def test_two_who_look_share_one_reader_and_the_last_one_ends_it(tmp_path: Path):
    layout = record_run(tmp_path, "shapes", steps=30)

    async def look() -> None:
        reader = Reader()
        first, second = reader.open(layout), reader.open(layout)
        assert first is second
        reader.close(layout)
        await _until(lambda: first.loaded)
        with EventWriter(layout.events, 1) as writer:
            writer.write(Notice(topic="test", message="still read"))
        await _until(lambda: bool(first.events) and isinstance(first.events[-1], Notice))
        reader.close(layout)
        await asyncio.sleep(0)
        assert not [t for t in asyncio.all_tasks() if t.get_name() == "read shapes"]

    asyncio.run(look())


async def _until(there: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not there():
            await asyncio.sleep(0.01)
