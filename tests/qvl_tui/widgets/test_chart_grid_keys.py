"""The keys and the mouse on the grid of charts, settings, and what is saved."""

from pathlib import Path
from random import Random

import pytest

from qvl_tui.charts.data import ChartData, View
from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.chart import Chart
from qvl_tui.widgets.chart_bindings import CHART_BINDINGS
from qvl_tui.widgets.chart_export import export_charts, file_stem
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.recorded_events import Recipe, step_event
from tests.qvl_tui.widgets.grid_stage import Stage, first_words, played
from trainer.run.append import EventWriter
from trainer.run.layout import list_runs

# --- what is looked at ------------------------------------------------------------------------


def test_the_cursor_reads_all_charts_at_one_step(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        on.grid.jump_to(200)
        await on.settled()
        steps = feed.state.steps
        for title, name in zip(
            on.app.titles(), ("loss", "token_accuracy", "gradient_norm"), strict=False
        ):
            assert "@ 200" in title
            assert f"{steps[name][199]:.3f}" in title
        assert "step 200 · ▼ checkpoint 200" in on.app.text()
        assert "↻ resumed at 200" in on.app.text()

    played(desk, [feed], scene, (160, 20))


def test_the_cursor_moves_by_points_and_by_ten_and_to_the_ends(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        def cursor() -> float:
            assert on.grid._view.cursor is not None
            return on.grid._view.cursor

        await on.press("left")
        assert cursor() == 400
        await on.press("left")
        one = 400 - cursor()
        assert one >= 1
        await on.press("shift+left")
        assert 400 - cursor() - one >= 10
        await on.press("right")
        await on.press("shift+right")
        assert cursor() >= 399
        await on.press("home")
        assert cursor() == 1
        await on.press("end")
        assert on.grid._view.cursor is None
        assert on.grid._view.follows

    played(desk, [feed], scene)


def test_zoom_and_pan_leave_the_live_end_and_end_and_0_come_back(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("plus", "plus")
        assert on.grid._view.follows
        assert on.grid._view.x_min == pytest.approx(300, abs=10)
        await on.press("less_than_sign")
        assert not on.grid._view.follows
        assert "end follows" in on.app.text()
        await on.press("end")
        assert on.grid._view.follows
        await on.press("less_than_sign", "greater_than_sign")
        assert on.grid._view.follows
        await on.press("0")
        assert on.grid._view.x_min is None
        await on.press("equals_sign", "minus", "minus")
        assert on.grid._view.x_min is None

    played(desk, [feed], scene)


def test_a_jump_brings_a_step_into_sight_on_every_axis(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("plus", "plus")
        on.grid.jump_to(50)
        view = on.grid._view
        assert view.cursor == 50
        assert view.x_min is not None
        assert view.x_max is not None
        assert view.x_min <= 50 <= view.x_max
        for cursor in (50 / 200, 200, pytest.approx(15_900, rel=0.02), pytest.approx(120)):
            await on.press("a")
            assert on.grid._view.cursor == cursor

    played(desk, [feed], scene)


def test_the_x_axis_goes_round_and_what_is_seen_stays(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        on.grid.jump_to(123)
        seen = [on.grid._view.x_axis]
        for _ in range(6):
            await on.press("a")
            seen.append(on.grid._view.x_axis)
            assert f"{feed.state.steps['loss'][122]:.3f}" in on.app.titles()[0]
        assert seen == ["step", "epoch", "samples", "target_tokens", "elapsed", "clock", "step"]
        assert on.grid._view.cursor == 123

    played(desk, [feed], scene)


def test_before_the_first_step_there_is_the_clock_alone_and_then_the_axis_that_was_chosen(
    tmp_path: Path,
):
    layout = record_run(tmp_path, "young", end="starting")
    desk, feed = Desk(tmp_path), Feed.of(layout)
    desk.settings.x_axis = "samples"

    async def scene(on: Stage) -> None:
        assert "clock · " in on.app.text()
        await on.press("a", "a")
        assert on.grid._view.x_axis == "clock"
        assert desk.settings.x_axis == "samples"
        (first, *_) = on.app._notifications
        assert first.message == "before the first step there is only the clock"
        with EventWriter(layout.events, 1) as writer:
            for step in range(1, 4):
                writer.write(step_event(step, Recipe()))
        feed.take(feed.bite())
        on.grid.show(feed)
        await on.settled()
        assert "samples · " in on.app.text()

    played(desk, [feed], scene)


# --- settings ---------------------------------------------------------------------------------


def test_view_settings_are_kept_and_announced(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        await on.press("s", "s", "y", "a", "g")
        settings = desk.settings
        assert settings.smoothing == 0.9
        assert settings.log_y_charts == ["loss"]
        assert settings.x_axis == "epoch"
        assert settings.chart_columns == 1
        assert on.app.saved == 5
        assert "log" in on.app.titles()[0]
        assert "epoch · smoothed 0.9" in on.app.text()
        assert len(on.app.titles()) == 2
        await on.press("y", "g", "g")
        assert settings.log_y_charts == []
        assert settings.chart_columns == 0
        assert len(on.app.titles()) == 4

    played(desk, [feed], scene)


def test_settings_of_another_time_are_used_and_wrong_ones_do_no_harm(desk: Desk, feed: Feed):
    desk.settings.x_axis, desk.settings.smoothing = "parsecs", 0.93
    desk.settings.chart_columns = 8
    desk.settings.chart_filter = "^(loss|token|grad)"
    desk.settings.log_y_charts = ["gradient_norm", "gone"]

    async def scene(on: Stage) -> None:
        assert "step · smoothed 0.9" in on.app.text()
        assert "log" in on.app.titles()[2]
        assert first_words(on.app.titles()) == ["loss", "token", "gradient", "tokens"]

    played(desk, [feed], scene, (120, 20))


def test_keys_in_any_order_do_no_harm(desk: Desk, feed: Feed):
    keys = [key for binding in CHART_BINDINGS for key in binding.key.split(",") if key != "E"]
    chosen = Random(5).choices(keys, k=40)

    async def scene(on: Stage) -> None:
        for begin in range(0, len(chosen), 10):
            await on.press(*chosen[begin : begin + 10])
            if begin == 20:
                await on.pilot.resize_terminal(130, 42)
        shown = [chart for chart in on.grid.query(Chart) if chart.display]
        assert len(shown) == len(on.grid._seen)
        view = on.grid._view
        assert view.cursor is None or 0 <= view.cursor <= 2e9

    played(desk, [feed], scene)


def test_every_key_has_words_for_the_help(desk: Desk, feed: Feed):
    assert len({binding.id for binding in CHART_BINDINGS}) == len(CHART_BINDINGS)
    assert all(binding.tooltip and binding.description for binding in CHART_BINDINGS)

    async def scene(on: Stage) -> None:
        for binding in CHART_BINDINGS:
            assert hasattr(on.grid, f"action_{binding.action.partition('(')[0]}")

    played(desk, [feed], scene)


# --- the mouse --------------------------------------------------------------------------------


def test_a_click_chooses_a_chart_and_reads_there_and_a_second_one_shows_it_full(
    desk: Desk, feed: Feed
):
    async def scene(on: Stage) -> None:
        second = [chart for chart in on.grid.query(Chart) if chart.display][1]
        await on.pilot.click(second, offset=(20, 4))
        await on.settled()
        assert on.app.titles()[1].startswith("▌token")
        assert on.grid._view.cursor is not None
        await on.pilot.click(second, offset=(20, 4), times=2)
        await on.settled()
        assert first_words(on.app.titles()) == ["token"]

    played(desk, [feed], scene)


def test_the_wheel_zooms_all_charts(desk: Desk, feed: Feed):
    async def scene(on: Stage) -> None:
        chart = on.grid.query(Chart).first()
        chart.post_message(Chart.Zoomed(100.0, 200.0))
        await on.settled()
        assert (on.grid._view.x_min, on.grid._view.x_max) == (100.0, 200.0)
        chart.post_message(Chart.Panned(50.0, 150.0))
        await on.settled()
        assert (on.grid._view.x_min, on.grid._view.x_max) == (50.0, 150.0)

    played(desk, [feed], scene)


# --- several runs -----------------------------------------------------------------------------


def test_compared_runs_lie_in_the_same_charts(runs: Path, desk: Desk):
    feeds = [Feed.of(layout) for layout in list_runs(runs)]
    desk.settings.x_axis = "clock"

    async def scene(on: Stage) -> None:
        assert on.grid._view.x_axis == "elapsed"
        await on.press("a")
        assert on.grid._view.x_axis == "step"
        for feed in feeds:
            assert f"{feed.state.steps['loss'][-1]:.3f}" in on.app.titles()[0]
        assert on.app.titles()[1].lstrip("▌").startswith("validation loss")

    played(desk, feeds, scene, (120, 40), compared=True)


# --- export -----------------------------------------------------------------------------------


def exported(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_page_or_the_full_chart_is_saved_as_csv_and_svg(tmp_path: Path, desk: Desk):
    layout = record_run(tmp_path, "shapes")
    folder = layout.root / "exports"

    async def scene(on: Stage) -> None:
        await on.press("enter", "E")
        await on.app.workers.wait_for_complete()
        assert exported(folder) == ["loss.csv", "loss.svg"]
        await on.press("enter", "E")
        await on.app.workers.wait_for_complete()
        assert len(exported(folder)) == 8
        assert "<svg" in (folder / "loss.svg").read_text()
        assert "validation" in (folder / "loss.csv").read_text().splitlines()[0]
        notes = [note.message for note in on.app._notifications]
        assert any(str(folder)[:30] in note for note in notes)

    played(desk, [Feed.of(layout)], scene)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, desk: Desk):
    layout = record_run(tmp_path, "shapes")
    (layout.root / "exports").write_text("in the way")

    async def scene(on: Stage) -> None:
        await on.press("E")
        await on.app.workers.wait_for_complete()
        assert any("nothing saved" in note.message for note in on.app._notifications)

    played(desk, [Feed.of(layout)], scene)


def test_charts_whose_names_differ_in_signs_only_get_files_of_their_own(tmp_path: Path):
    charts = [(ChartData(f"further.a{sign}b", "a", "", ()), View()) for sign in "/?"]
    names = [file.name for file in export_charts(tmp_path, charts, dark=True)]
    assert names == ["further-a-b.csv", "further-a-b.svg", "further-a-b-.csv", "further-a-b-.svg"]
    assert exported(tmp_path) == sorted(names)


def test_a_chart_from_outside_cannot_choose_where_its_file_lies():
    assert file_stem("further.../../etc/passwd") == "further-etc-passwd"
    assert file_stem("///") == "chart"
