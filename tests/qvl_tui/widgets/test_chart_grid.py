"""The grid of charts: what it shows, and which of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.chart import Chart
from tests.qvl_tui.recorded import Recipe, record_run, step_event
from tests.qvl_tui.widgets.grid_stage import Stage, first_words, played
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout

# --- what is shown ----------------------------------------------------------------------------


def test_a_frame_shows_the_last_values_the_page_and_how_it_is_looked_at(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        loss = feed.state.steps["loss"][-1]
        validation = feed.state.evaluations["loss"][-1]
        assert on.app.titles()[0].startswith("▌loss")
        assert f"{loss:.3f}" in on.app.titles()[0]
        assert f"{validation:.3f}" in on.app.titles()[0]
        assert first_words(on.app.titles()) == ["loss", "token", "gradient", "learning"]
        assert "Charts  1/" in on.app.text()
        assert "step · raw" in on.app.text()
        assert sum("\u2800" < letter <= "\u28ff" for letter in on.app.text()) > 100

    played(desk, [feed], scene)


def test_until_a_chart_is_chosen_the_first_one_is_whichever_that_becomes(tmp_path: Path):
    layout = record_run(tmp_path, "young", end="starting")
    feed = Feed.of(layout)

    async def scene(on: Stage) -> None:
        assert on.app.titles()[0].startswith("▌GPU")
        with EventWriter(layout.events, 1) as writer:
            for step in range(1, 4):
                writer.write(step_event(step, Recipe()))
        feed.take(feed.bite())
        on.grid.show(feed)
        await on.pilot.pause()
        assert on.app.titles()[0].startswith("▌loss")

    played(Desk(tmp_path), [feed], scene)


@pytest.mark.parametrize(
    ("size", "count"), [((40, 12), 1), ((58, 24), 2), ((80, 24), 4), ((120, 40), 12)]
)
def test_the_grid_fits_the_window(desk: Desk, feed: Feed, size: tuple[int, int], count: int):
    async def scene(on: Stage) -> None:
        shown = [chart for chart in on.grid.query(Chart) if chart.display]
        assert len(shown) == count
        assert all(chart.size.width >= 28 and chart.size.height >= 7 for chart in shown)

    played(desk, [feed], scene, size)


def test_the_grid_follows_a_window_that_changes(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        for size, count in (((120, 40), 12), ((58, 20), 2), ((80, 24), 4)):
            await on.pilot.resize_terminal(*size)
            await on.settled()
            await on.settled()
            assert len(on.app.titles()) == count

    played(desk, [feed], scene)


def test_new_steps_show_at_the_next_look_and_without_any_nothing_is_drawn(
    tmp_path: Path, desk: Desk
):
    layout = record_run(tmp_path, "live", steps=30)
    feed = Feed.of(layout)

    async def scene(on: Stage) -> None:
        album = on.grid._album
        on.grid.show(feed)
        assert on.grid._album is album
        with EventWriter(layout.events, 1) as writer:
            writer.write(replace(step_event(31, Recipe()), loss=7.5))
        feed.take(feed.bite())
        on.grid.show(feed)
        await on.settled()
        assert "7.50" in on.app.titles()[0]

    played(desk, [feed], scene)


def test_a_run_without_steps_says_when_charts_begin(tmp_path: Path, desk: Desk):
    feed = Feed.of(record_run(tmp_path, "new", end="starting", gpus=0))
    feed.state.telemetry.cut(0)

    async def scene(on: Stage) -> None:
        assert "the charts begin with the first step" in on.app.text()
        assert on.app.titles() == []
        keys = "left right home end plus minus 0 s y a g E enter up down pagedown less_than_sign"
        await on.press(*keys.split())
        on.grid.jump_to(3)

    played(desk, [feed], scene)


def test_a_run_that_is_still_read_says_so(runs: Path, desk: Desk):
    feed = Feed(RunLayout(runs / "shapes"))

    async def scene(on: Stage) -> None:
        assert "reading" in on.app.text()

    played(desk, [feed], scene)


# --- which chart ------------------------------------------------------------------------------


def test_arrows_choose_a_chart_and_the_page_follows(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("down")
        assert [title.startswith("▌") for title in on.app.titles()] == [False, True, False, False]
        await on.press("down", "down", "down")
        assert first_words(on.app.titles())[0] == "entropy"
        assert on.app.titles()[0].startswith("▌")
        assert "2/" in on.app.text()
        await on.press("up")
        assert on.app.titles()[3].startswith("▌learning")
        await on.press(*["up"] * 9)
        assert on.app.titles()[0].startswith("▌loss")

    played(desk, [feed], scene)


def test_pages_turn_and_end_at_the_last(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("pagedown")
        assert first_words(on.app.titles()) == ["entropy", "throughput", "step", "MFU"]
        await on.press(*["pagedown"] * 9)
        last = on.app.titles()
        assert first_words(last)[-1] == "disk"
        await on.press("pagedown")
        assert on.app.titles() == last
        await on.press(*["pageup"] * 9)
        assert first_words(on.app.titles())[0] == "loss"

    played(desk, [feed], scene)


def test_one_chart_is_shown_full_and_all_again(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("down", "enter")
        assert first_words(on.app.titles()) == ["token"]
        assert next(chart for chart in on.grid.query(Chart) if chart.display).size.width == 76
        await on.press("down")
        assert first_words(on.app.titles()) == ["gradient"]
        await on.press("enter")
        assert len(on.app.titles()) == 4
        await on.press("enter", "escape")
        assert len(on.app.titles()) == 4
        assert not on.app.left

    played(desk, [feed], scene)


def test_the_filter_takes_words_and_patterns_and_escape_shows_all(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("slash", *"gpu")
        assert on.app.titles()[0].startswith("GPU load")
        assert len(on.app.titles()) == 4
        await on.press("enter")
        assert on.grid.has_focus
        assert "/gpu" in on.app.text()
        assert (desk.settings.chart_filter, on.app.saved) == ("gpu", 1)
        await on.press("slash", *"power|disk", "enter")
        assert [title.split()[1] for title in on.app.titles()] == ["power", "free"]
        await on.press("slash", *"loss(")
        assert "no chart has such a name" in on.app.text()
        await on.press("escape")
        assert first_words(on.app.titles())[0] == "loss"
        assert not on.grid.query_one(Input).has_focus
        assert (desk.settings.chart_filter, on.app.saved) == ("", 3)
        assert not on.app.left

    played(desk, [feed], scene)


def test_escape_takes_away_cursor_then_full_then_filter_then_leaves(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("slash", *"loss", "enter", "enter", "left")
        assert on.grid._view.cursor is not None
        await on.press("escape")
        assert on.grid._view.cursor is None
        assert on.grid._full
        await on.press("escape")
        assert not on.grid._full
        await on.press("escape")
        assert len(on.app.titles()) == 4
        assert not on.app.left
        await on.press("escape")
        assert on.app.left

    played(desk, [feed], scene)
