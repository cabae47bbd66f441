"""A long run is read in a process of its own; what comes is what reading in place would bring."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qvl_tui import ahead
from qvl_tui.ahead import ReadAhead
from qvl_tui.feed import Feed, Reader
from tests.qvl_tui.recorded import record_run
from tests.trainer.run.test_reader import comparable
from trainer.run.files import BITE_BYTES
from trainer.run.layout import RunLayout

STEPS = 6_000  # some bites


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    made = record_run(tmp_path_factory.mktemp("runs"), "long", steps=STEPS, end="finished")
    assert made.events.stat().st_size > 2 * BITE_BYTES
    return made


@pytest.fixture
def reading(layout: RunLayout) -> Iterator[ReadAhead]:
    made = ReadAhead(layout)
    yield made
    made.close()


def followed(feed: Feed) -> Feed:
    """Read on until all is read."""

    async def play() -> None:
        task = asyncio.create_task(feed.follow())
        async with asyncio.timeout(30):
            while not feed.loaded:
                assert not task.done()
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    return feed


def test_what_another_process_reads_adds_up_to_what_is_read_in_place(
    layout: RunLayout, reading: ReadAhead
):
    feed, alone = followed(Feed(layout, reading)), Feed.of(layout)
    assert comparable(feed.state) == comparable(alone.state)
    assert list(feed.events) == list(alone.events)
    assert feed.loading_share == 1.0
    assert reading.next() is None


def test_a_run_is_read_on_in_place_where_the_other_process_dies(
    layout: RunLayout, reading: ReadAhead
):
    feed = Feed(layout, reading)
    feed.take(feed.bite())
    part = len(feed.state.steps)
    assert 0 < part < STEPS
    reading.close()
    followed(feed)
    assert comparable(feed.state) == comparable(Feed.of(layout).state)


def test_only_a_long_run_is_worth_a_process(layout: RunLayout, monkeypatch: pytest.MonkeyPatch):
    assert ReadAhead.of(layout) is None
    monkeypatch.setattr(ahead, "WORTH_BYTES", 1)
    made = ReadAhead.of(layout)
    assert made is not None
    made.close()


def test_a_run_is_read_in_place_where_no_process_is_to_be_had(
    layout: RunLayout, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ahead, "WORTH_BYTES", 1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ReadAhead.of(layout) is None
    assert followed(Feed(layout)).state.step == STEPS


def test_a_run_that_nobody_looks_at_any_more_leaves_no_process(
    layout: RunLayout, reading: ReadAhead
):
    async def look() -> None:
        reader = Reader(reading)
        reader.open(layout)
        await asyncio.sleep(0)
        reader.close(layout)
        await asyncio.sleep(0.05)

    asyncio.run(look())
    assert reading.ended


def test_the_process_ends_with_a_screen_that_was_killed(layout: RunLayout, tmp_path: Path):
    large = RunLayout(tmp_path / "large")
    large.root.mkdir()
    lines = layout.events.read_bytes()
    large.events.write_bytes(lines * 20)  # more than waits for a screen
    program = (
        "import sys, time; from pathlib import Path; from trainer.run.layout import RunLayout; "
        "from qvl_tui.ahead import ReadAhead; "
        "print(ReadAhead(RunLayout(Path(sys.argv[1])))._process.pid, flush=True); time.sleep(60)"
    )
    screen = subprocess.Popen(
        [sys.executable, "-c", program, str(large.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with screen:
        assert screen.stdout
        pid = int(screen.stdout.readline())
        screen.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while b"qvl_tui.ahead" in _command(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
