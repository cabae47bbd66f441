"""The log: what it shows, how it follows, searches and copies, and that no text can break it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.log_body import LogBody
from qvl_tui.widgets.log_lines import LogLine
from qvl_tui.widgets.log_view import LogView
from tests.qvl_tui.recorded import NOW, live, record_run
from trainer.run.events import Notice
from trainer.run.layout import RunLayout
from trainer.run.text import sanitise


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Shown(App[None]):
    """One log."""

    def __init__(self, layout: RunLayout) -> None:
        super().__init__()
        self.feed = Feed.of(layout)
        self.copied = ""

    def compose(self) -> ComposeResult:
        yield LogView(Desk(self.feed.layout.root.parent, now=lambda: NOW))

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text
        super().copy_to_clipboard(text)

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def body(self) -> LogBody:
        return self.query_one(LogBody)

    async def look(self, pilot: Pilot[None]) -> None:
        """Read what there is and show it, as the screen of a run does twice a second."""
        self.feed.take(self.feed.bite())
        self.feed.judge()
        self.view.show(self.feed)
        await self.workers.wait_for_complete()
        await pilot.pause()

    def rows(self) -> list[str]:
        height = self.body.scrollable_content_region.height
        return [self.body.render_line(y).text.rstrip() for y in range(height)]


def shown(
    layout: RunLayout,
    steps: Callable[[Shown, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (100, 20),
) -> None:
    async def run() -> None:
        app = Shown(layout)
        async with app.run_test(size=size) as pilot:
            app.body.focus()
            await app.look(pilot)
            await steps(app, pilot)

    asyncio.run(run())


def printing(layout: RunLayout, text: str, modified: float = NOW) -> RunLayout:
    with layout.console.open("ab") as file:
        file.write(text.encode())
    os.utime(layout.console, (modified, modified))
    return layout


def test_a_failed_run_shows_what_it_printed_before_it_failed(tmp_path: Path):
    layout = record_run(tmp_path, "a", end="failed")
    printing(layout, "Traceback: no memory\n", NOW - 1)

    async def steps(app: Shown, _: Pilot[None]) -> None:
        rows = app.rows()
        assert "Traceback: no memory" in "\n".join(rows)
        traceback = next(i for i, row in enumerate(rows) if "Traceback" in row)
        ending = next(i for i, row in enumerate(rows) if "✗ failed at step 400" in row)
        assert traceback < ending == len(rows) - 1
        assert rows[ending].startswith("16:0")

    shown(layout, steps)


def test_a_line_for_steps_comes_every_half_minute(tmp_path: Path):
    async def steps(app: Shown, _: Pilot[None]) -> None:
        lines = [line for line in app.body.lines.lines if line.origin == "step"]
        assert 400 * 2.4 / 40 < len(lines) <= 400 * 2.4 / 30 + 1
        assert lines[0].text == "step 1  loss 2.54  grad 0.934  2.40 s"

    shown(record_run(tmp_path, "a"), steps)


def test_it_lets_go_when_somebody_looks_up_and_follows_again_at_the_end(tmp_path: Path):
    layout = record_run(tmp_path, "a")

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        assert app.view.note == "following"
        await pilot.press("up", "up")
        assert app.view.note == "held · end follows"
        before = app.rows()
        printing(layout, "".join(f"line {n}\n" for n in range(37)))
        await app.look(pilot)
        assert app.rows() == before
        assert app.view.note == "+37 new · end follows"
        await pilot.press("end")
        assert app.view.note == "following"
        assert app.rows()[-1].endswith("line 36")
        printing(layout, "one more\n")
        await app.look(pilot)
        assert app.rows()[-1].endswith("one more")

    with live(layout):
        shown(layout, steps)


def test_going_down_from_the_last_line_follows_again(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("up")
        assert not app.body.following
        await pilot.press("down", "down")
        assert app.body.following
        await pilot.press("home")
        assert app.body.scroll_offset.y == 0
        await pilot.press("pagedown")
        assert not app.body.following

    shown(record_run(tmp_path, "a"), steps)


def test_a_search_finds_counts_and_goes_round(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"CHECKP")
        assert str(app.query_one("#log-matches").render()).strip() == "not found"
        await pilot.press(*["backspace"] * 6, *"checkpoint", "enter")
        label = app.query_one("#log-matches")
        assert str(label.render()).startswith(" 4/4")
        assert app.focused is app.body
        await pilot.press("N")
        assert str(label.render()).startswith(" 3/4")
        assert app.body.cursor is not None
        assert "step 300" in app.body.lines[app.body.cursor].text
        await pilot.press("n", "n")
        assert "step 100" in app.body.lines[app.body.cursor].text
        assert any(
            segment.text == "checkpoint" and segment.style and segment.style.bgcolor
            for y in range(10)
            for segment in app.body.render_line(y)
        )
        await pilot.press("escape")
        assert app.body.search is None
        assert not label.parent.display  # type: ignore[union-attr]

    shown(record_run(tmp_path, "a"), steps)


def test_it_copies_the_marked_lines_and_says_how_many(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert len(app.copied.splitlines()) == len([row for row in app.rows() if row])
        await pilot.press("home", "shift+down", "shift+down", "c")
        assert app.copied.splitlines() == [
            "15:43:00  attempt 1 on NVIDIA GeForce RTX 3060, 2 threads",
            "15:43:02  train: train.jsonl, 800 records, 52 MB",
            "15:43:44  vision: frozen, 0 of 1,720,574,976 parameters trained",
        ]
        assert [note.message for note in app._notifications][-1] == "copied 3 lines (marked)"

    shown(record_run(tmp_path, "a"), steps)


def test_console_and_events_can_be_seen_alone(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("l")
        assert [row.strip() for row in app.rows() if row] == [
            "│  loading tiny-qwen3-vl",
            "│  epoch 1: 100%|##########| 200/200",
            "│  a path with [brackets] and a colour",
        ]
        assert app.view.note == "following · console only"
        await pilot.press("l")
        assert not any("│" in row for row in app.rows())

    shown(record_run(tmp_path, "a"), steps)


def test_a_wrapped_line_loses_nothing(tmp_path: Path):
    text = "".join(f"{n:04} 日本語 " for n in range(40))
    layout = printing(record_run(tmp_path, "a"), text + "\n")

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("l", "w")
        rows = [row[10:].removeprefix(" ") for row in app.rows()]
        assert "".join(rows).replace(" ", "").endswith(text.replace(" ", ""))
        await pilot.press("w")
        await pilot.press(*["right"] * 40)
        assert [row for row in app.rows() if row][-1].endswith("0039 日本語")

    shown(layout, steps, size=(60, 30))


def test_a_line_that_goes_on_to_the_right_says_so_in_its_last_cell(tmp_path: Path):
    layout = printing(record_run(tmp_path, "a"), f"{'x' * 60}|\nshort\n{'漢' * 40}\n")

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("l")
        *_, long, short, wide = (row for row in app.rows() if row)
        assert long.endswith("xxx›")
        assert "›" not in short
        assert wide.endswith("›")
        await pilot.press("right", "right")
        long = next(row for row in app.rows() if "|" in row)
        assert "›" not in long
        await pilot.press("w")
        assert not any("›" in row for row in app.rows())

    shown(layout, steps, size=(60, 20))


def test_an_old_run_says_its_day(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press("home")
        assert "── Wed 31 Dec 2025 ──" in app.rows()[0]

    shown(record_run(tmp_path, "a", ended_ago_seconds=86_400), steps)


def test_events_that_came_while_nobody_looked_are_all_there(tmp_path: Path):
    layout = record_run(tmp_path, "a")

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        notes = [
            Notice(topic="x", message=f"notice {n} [x]", attempt=1, time=NOW + n) for n in range(30)
        ]
        app.feed.events.extend(notes)
        app.feed.event_count += len(notes)
        await app.look(pilot)
        found = [line.text for line in app.body.lines.lines if "notice" in line.text]
        assert found == [f"· notice {n} [x]" for n in range(30)]

    shown(layout, steps)


def test_a_replaced_event_file_starts_the_log_anew(tmp_path: Path):
    layout = record_run(tmp_path, "a")
    other = record_run(tmp_path, "b", steps=10)

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        other.events.replace(layout.events)
        await app.look(pilot)
        await app.look(pilot)
        texts = [line.text for line in app.body.lines.lines]
        assert not any("step 400" in text for text in texts)
        assert sum("gradients reach all" in text for text in texts) == 1

    with live(layout):
        shown(layout, steps)


NASTY = st.one_of(
    st.text(max_size=60),
    st.text("漢字👩\u200d\ufe0f\u0301❤אب[]\x1b\r\t", max_size=40),
    st.sampled_from(["[/red]", "\x1b]0;x\x07", "\x9b31m", "a\u202eb", "[bold", "\u200b"]),
)


def test_no_text_makes_a_row_of_another_width_or_lets_a_control_character_through(tmp_path: Path):
    layout = record_run(tmp_path, "a", steps=2)

    async def run() -> None:
        app = Shown(layout)
        async with app.run_test(size=(40, 16)) as pilot:
            await app.look(pilot)

            @settings(
                max_examples=150,
                deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture],
            )
            @given(
                texts=st.lists(NASTY, min_size=1, max_size=12),
                wrap=st.booleans(),
                sideways=st.integers(0, 50),
                needle=NASTY,
            )
            def check(texts: list[str], wrap: bool, sideways: int, needle: str) -> None:
                body = app.body
                body.clear("")
                body.wrap = wrap
                body.add(LogLine("console", sanitise(text, 4_000)) for text in texts)
                body.find(sanitise(needle, 4_000))
                body._scroll(x=sideways)
                region = body.scrollable_content_region
                for y in range(region.height):
                    strip = body.render_line(y)
                    assert strip.cell_length == region.width
                    assert sum(cell_len(segment.text) for segment in strip) == region.width
                    assert strip.text.isprintable() or not _controls(strip.text)

            check()

    asyncio.run(run())


def _controls(text: str) -> list[str]:
    return [it for it in text if ord(it) < 32 or 0x7F <= ord(it) < 0xA0 or it in "\u202e\u2066"]
