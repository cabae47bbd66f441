import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot

from qvl_tui import themes
from qvl_tui.charts.data import ChartData, Curve, Mark, View
from qvl_tui.widgets.chart import Chart
from tests.qvl_tui.charts.curves import chart, line

LOSS = 0.4 + 2 * np.exp(-np.arange(2000) / 300)


class Bench(App[None]):
    """A chart of 60 x 12 cells, with room around it."""

    CSS = """
    Screen { align: left top; }
    Chart { width: 62; height: 14; padding: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Chart()

    def on_mount(self) -> None:
        themes.dress(self)
        self.theme = "qvl-dark"

    def on_chart_cursor_moved(self, message: Chart.CursorMoved) -> None:
        self.messages.append(message)

    def on_chart_chosen(self, message: Chart.Chosen) -> None:
        self.messages.append(message)

    def on_chart_zoomed(self, message: Chart.Zoomed) -> None:
        self.messages.append(message)

    def on_chart_panned(self, message: Chart.Panned) -> None:
        self.messages.append(message)


def run(test: Callable[[Bench, Chart, Pilot[None]], Awaitable[None]]) -> None:
    async def session() -> None:
        app = Bench()
        async with app.run_test(size=(80, 24)) as pilot:
            await test(app, app.query_one(Chart), pilot)

    asyncio.run(session())


def rows_of(it: Chart) -> list[str]:
    return [it.render_line(row).text for row in range(it.size.height)]


def refreshed(it: Chart, monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """Note what the chart asks to be painted anew."""
    regions: list[Region] = []
    refresh = it.refresh

    def noted(*those: Region, **how: bool) -> Chart:
        regions.extend(those or [it.region])
        return refresh(*those, **how)

    monkeypatch.setattr(it, "refresh", noted)
    return regions


def test_a_chart_draws_its_data_in_exactly_its_cells():
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        assert it.bounds is None
        assert rows_of(it) == [" " * 60] * 12
        it.show(chart(line(*LOSS)), View())
        await pilot.pause()
        assert "loss" in rows_of(it)[0]
        assert {cell_len(row) for row in rows_of(it)} == {60}
        assert it.bounds == (1.0, 2000.0)
        assert it.x_per_cell == pytest.approx(2000 / 52)

    run(body)


def test_names_with_markup_and_wide_letters_stay_text():
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(ChartData("k", "[/red]日本", "", (line(1, 2, label="[b]"),)), View())
        await pilot.pause()
        assert "[/red]日本" in rows_of(it)[0]
        assert {cell_len(row) for row in rows_of(it)} == {60}

    run(body)


def test_the_same_data_and_view_cost_nothing(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        data = chart(line(*LOSS))
        it.show(data, View())
        await pilot.pause()
        regions = refreshed(it, monkeypatch)
        monkeypatch.setattr("qvl_tui.widgets.chart.framed", None)
        it.show(data, View())
        assert regions == []

    run(body)


def test_a_new_point_repaints_only_what_it_changes(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(chart(line(*LOSS[:1520])), View())
        await pilot.pause()
        regions = refreshed(it, monkeypatch)
        it.show(chart(line(*LOSS[:1560])), View())
        plot = [region for region in regions if region.y > 0]
        assert 1 <= sum(region.area for region in plot) <= 4
        assert {region.height for region in regions} == {1}
        regions.clear()
        it.show(chart(line(*LOSS[:1560])), View())
        assert regions == []

    run(body)


def test_what_is_on_the_screen_is_what_was_drawn_after_partial_repaints():
    async def body(app: Bench, it: Chart, pilot: Pilot[None]) -> None:
        for count in (1500, 1520, 1540):
            it.show(chart(line(*LOSS[:count]), marks=(Mark(700, "resume"),)), View())
            await pilot.pause()
        for cursor in (300.0, 900.0, None):
            it.show(chart(line(*LOSS[:1540])), View(cursor=cursor))
            await pilot.pause()
        lines = app.screen._compositor.render_strips()
        shown = [strip.text[1:61] for strip in lines[1:13]]
        assert shown == rows_of(it)

    run(body)


def test_moving_the_cursor_does_not_draw_the_curves_anew(monkeypatch: pytest.MonkeyPatch):
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        data = chart(line(*LOSS))
        it.show(data, View())
        await pilot.pause()
        monkeypatch.setattr("qvl_tui.widgets.chart.plotted", None)
        it.show(data, View(cursor=500.0))
        assert "@ 500" in rows_of(it)[0]

    run(body)


def test_the_chosen_chart_is_marked_without_colour():
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(chart(line(*LOSS)), View())
        it.selected = True
        await pilot.pause()
        assert rows_of(it)[0].startswith("▌loss")
        title = next(seg for seg in it.render_line(0) if seg.text == "loss")
        assert title.style is not None
        assert title.style.reverse

    run(body)


def test_another_size_and_another_theme_are_drawn_at_once():
    async def body(app: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(chart(line(*LOSS)), View())
        await pilot.pause()
        dark = curve_colours(it)
        app.theme = "qvl-light"
        await pilot.pause()
        assert curve_colours(it) != dark
        it.styles.width = 30
        it.styles.height = 9
        await pilot.pause()
        assert [cell_len(row) for row in rows_of(it)] == [28] * 7
        assert "loss" in rows_of(it)[0]

    run(body)


def curve_colours(it: Chart) -> set[str]:
    return {
        segment.style.color.name
        for row in range(1, it.size.height - 1)
        for segment in it.render_line(row)
        if segment.style and segment.style.color and any(c > "⠀" for c in segment.text)
    }


def test_without_colour_lines_have_patterns_and_ends(monkeypatch: pytest.MonkeyPatch):
    two = chart(line(*np.full(200, 1.0)), line(*np.full(200, 2.0), label="b", slot=1))
    coloured: list[list[str]] = []

    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(two, View())
        await pilot.pause()
        coloured.append(rows_of(it))

    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    run(body)
    monkeypatch.setenv("NO_COLOR", "1")
    run(body)
    assert "●" in "".join(coloured[1][1:])
    assert "■" in "".join(coloured[1][1:])
    assert coloured[0] != coloured[1]


def test_a_click_chooses_the_chart_and_puts_the_cursor_on_a_known_value():
    async def body(app: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(chart(Curve("v", np.array([100.0, 200.0, 300.0]), np.ones(3))), View())
        await pilot.pause()
        await pilot.click(Chart, offset=(35, 5))
        chosen, moved = app.messages
        assert isinstance(chosen, Chart.Chosen)
        assert (chosen.key, chosen.twice) == ("loss", False)
        assert isinstance(moved, Chart.CursorMoved)
        assert moved.x == 200.0
        await pilot.click(Chart, offset=(3, 5), times=2)
        assert [it.twice for it in app.messages if isinstance(it, Chart.Chosen)][-1]

    run(body)


def test_the_wheel_asks_to_zoom_at_the_pointer():
    async def body(app: Bench, it: Chart, pilot: Pilot[None]) -> None:
        view = View(x_min=100.0, x_max=620.0)
        it.show(chart(line(*LOSS)), view)
        await pilot.pause()
        await pilot._post_mouse_events([events.MouseScrollUp], Chart, offset=(9, 5))
        (zoomed,) = app.messages
        assert isinstance(zoomed, Chart.Zoomed)
        assert zoomed.x_min == pytest.approx(101, abs=2)
        assert zoomed.x_max == pytest.approx(100 + 520 / 1.5, abs=5)
        it.show(chart(line(*LOSS)), View())
        app.messages.clear()
        await pilot._post_mouse_events([events.MouseScrollDown], Chart, offset=(9, 5))
        assert app.messages == []

    run(body)


def test_dragging_asks_to_pan_and_sets_no_cursor():
    async def body(app: Bench, it: Chart, pilot: Pilot[None]) -> None:
        view = View(x_min=500.0, x_max=1020.0)
        it.show(chart(line(*LOSS)), view)
        await pilot.pause()
        await pilot.mouse_down(Chart, offset=(30, 5))
        await pilot.hover(Chart, offset=(35, 5))
        await pilot.hover(Chart, offset=(40, 6))
        await pilot.mouse_up(Chart, offset=(40, 6))
        panned = [round(it.x_min or 0) for it in app.messages if isinstance(it, Chart.Panned)]
        assert list(dict.fromkeys(panned)) == [450, 400]
        assert not any(isinstance(message, Chart.CursorMoved) for message in app.messages)
        app.messages.clear()
        await pilot.hover(Chart, offset=(10, 5))
        assert app.messages == []

    run(body)


def test_a_chart_without_room_or_data_takes_everything_in_its_stride():
    async def body(_: Bench, it: Chart, pilot: Pilot[None]) -> None:
        it.show(chart(), View())
        await pilot.pause()
        assert "no data yet" in "".join(rows_of(it))
        for width, height in ((2, 2), (3, 3), (14, 5), (8, 20)):
            it.styles.width, it.styles.height = width, height
            await pilot.pause()
            it.show(chart(line(*LOSS)), replace(View(), cursor=float(width)))
            assert {cell_len(row) for row in rows_of(it)} <= {max(0, width - 2)}

    run(body)
