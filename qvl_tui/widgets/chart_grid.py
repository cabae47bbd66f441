"""The charts of a run, or of several, in a grid that is driven by keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from qvl_tui.charts.album import Album
from qvl_tui.charts.arrangement import Arrangement, arrange, next_columns
from qvl_tui.charts.data import ChartData, View, XAxis
from qvl_tui.charts.phrases import cursor_phrase, view_phrase
from qvl_tui.charts.smoothing import LEVELS, next_level
from qvl_tui.charts.view import known_x, move_cursor, pan, reveal, zoom
from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import SettingsChanged
from qvl_tui.widgets.chart import Chart
from qvl_tui.widgets.chart_bindings import CHART_BINDINGS
from qvl_tui.widgets.chart_export import save_and_tell
from qvl_tui.widgets.pane import Pane


class ChartGrid(Pane, can_focus=True):
    """The charts of a run; those of a page share x-axis, cursor and what is seen.

    The x-axis, smoothing, logarithmic charts, columns and the filter are view settings.
    """

    title = "Charts"
    BINDINGS: ClassVar[list[BindingType]] = [*CHART_BINDINGS]
    DEFAULT_CSS = """
    ChartGrid {
        layout: vertical;
        & > #chart-box { layout: grid; grid-gutter: 0 2; height: 1fr; }
        & > #chart-note { height: 1; display: none; color: $text-muted; }
        & > Horizontal { height: 1; display: none; }
        & > Horizontal > Static { width: auto; color: $text-muted; }
        & > Horizontal > Input { width: 1fr; }
    }
    """

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.desk = desk
        self._feeds: tuple[Feed, ...] = ()
        self._labels: tuple[str, ...] | None = None
        self._versions: tuple[object, ...] = ()
        self._album: Album | None = None
        self._view = View()
        self._key = ""  # of the chosen chart
        self._was_chosen = False  # by a person; else it is the first, whichever that becomes
        self._full = False  # whether the chosen chart is shown alone
        self._filter = desk.settings.chart_filter
        self._seen: list[str] = []  # the charts on the screen
        self._words = ""  # in the border's lower edge
        self._arrangement = Arrangement(1, 1)

    def compose(self) -> ComposeResult:
        """A line that says why there are no charts, the charts, and a place to type a filter."""
        yield Static("", id="chart-note", markup=False)
        yield Container(id="chart-box")
        with Horizontal():
            yield Static("/", markup=False)
            yield Input(compact=True, placeholder="charts to show, such as loss|gpu")
            yield Static("enter keeps it  escape shows all", markup=False)

    # --- what is shown ------------------------------------------------------------------------

    def show(self, feed: Feed) -> None:
        """Draw what changed in a run."""
        self._take((feed,), None)

    def show_many(self, feeds: Sequence[Feed], labels: Sequence[str]) -> None:
        """Draw several runs over each other, each in the colour and marker of its place."""
        self._take(tuple(feeds), tuple(labels))

    def jump_to(self, step: int) -> None:
        """Put the cursor on a step and bring it into sight."""
        if self._album and self._bounds:
            x = self._album.place(step, self._view.x_axis)
            if x is not None:
                self._look(reveal(self._view, self._bounds, x))

    def _take(self, feeds: tuple[Feed, ...], labels: tuple[str, ...] | None) -> None:
        versions = (*((id(feed), feed.version) for feed in feeds), labels)
        if versions == self._versions or not feeds:
            return
        self._feeds, self._labels, self._versions = feeds, labels, versions
        self._album = Album([feed.state for feed in feeds], labels)
        self._draw()

    def on_resize(self) -> None:
        """Fit the grid into the room there is now."""
        self._draw()

    def _draw(self) -> None:
        """Bring every chart that is seen up to date."""
        album = self._album
        if album is None or not (self.is_mounted and self.is_attached):
            return
        self._turn_axis(album.x_axis(self.desk.settings.x_axis))
        keys = self._matching()
        if self._key not in keys or not self._was_chosen:
            self._key = keys[0] if keys else ""
        self._seen = self._page(keys)
        for chart, key in zip(self._charts_for(len(self._seen)), self._seen, strict=False):
            chart.show(self._data(key), self._view_of(key))
        self._mark_chosen()
        self._say_why_empty(keys)
        self._say_where(keys)
        album.keep(self._seen, self._view.x_axis, self._smoothing)

    def _page(self, keys: list[str]) -> list[str]:
        """Return the charts of the page on which the chosen one lies, or that one alone."""
        room = self.query_one("#chart-box").size
        shown = [self._key] if self._full and self._key else keys
        columns = self.desk.settings.chart_columns
        self._arrangement = arrange(room.width, room.height, len(shown), columns)
        capacity = self._arrangement.capacity
        begin = shown.index(self._key) // capacity * capacity if self._key else 0
        return shown[begin : begin + capacity]

    def _charts_for(self, count: int) -> list[Chart]:
        """Return the widgets of a page; those that are only made now are drawn a moment later."""
        box = self.query_one("#chart-box")
        columns, rows = self._arrangement.columns, self._arrangement.rows
        if (box.styles.grid_size_columns, box.styles.grid_size_rows) != (columns, rows):
            box.styles.grid_size_columns, box.styles.grid_size_rows = columns, rows
        charts = list(box.query(Chart))
        if len(charts) < count:
            box.mount(*(Chart() for _ in range(count - len(charts))))
            self.call_after_refresh(self._draw)
        for index, chart in enumerate(charts):
            chart.display = index < count
        return charts[:count]

    def _data(self, key: str) -> ChartData:
        assert self._album
        return self._album.data(key, self._view.x_axis, self._smoothing)

    def _view_of(self, key: str) -> View:
        return replace(self._view, log_y=key in self.desk.settings.log_y_charts)

    def _matching(self) -> list[str]:
        return self._album.fitting(self._filter) if self._album else []

    # --- settings -----------------------------------------------------------------------------

    @property
    def _smoothing(self) -> float:
        chosen = self.desk.settings.smoothing
        return min(LEVELS, key=lambda level: abs(level - chosen))

    def _turn_axis(self, x_axis: XAxis) -> None:
        """Look at the same part of the run on another axis."""
        before = self._view
        if before.x_axis == x_axis or self._album is None:
            return
        x_min, x_max, cursor = (
            None if x is None else self._album.carried(x, before.x_axis, x_axis)
            for x in (before.x_min, before.x_max, before.cursor)
        )
        self._view = View(x_axis, x_min, x_max, cursor)

    def _settings_changed(self) -> None:
        self.post_message(SettingsChanged())
        self._draw()

    def action_smooth(self) -> None:
        """Smooth more; after the most, not at all."""
        self.desk.settings.smoothing = next_level(self._smoothing)
        self._settings_changed()

    def action_log(self) -> None:
        """Turn the chosen chart's y-axis logarithmic, or back."""
        charts = self.desk.settings.log_y_charts
        if self._key in charts:
            charts.remove(self._key)
        elif self._key:
            charts.append(self._key)
        self._settings_changed()

    def action_axis(self) -> None:
        """Go on to the next x-axis."""
        if self._album and len(self._album.x_axes) == 1:
            self.notify("before the first step there is only the clock")
        elif self._album:
            axes = self._album.x_axes
            now = axes.index(self._album.x_axis(self.desk.settings.x_axis))
            self.desk.settings.x_axis = axes[(now + 1) % len(axes)]
            self._settings_changed()

    def action_columns(self) -> None:
        """Lay one more chart side by side; after the most, as many as fit well."""
        settings, width = self.desk.settings, self.query_one("#chart-box").size.width
        settings.chart_columns = next_columns(settings.chart_columns, width)
        self._settings_changed()

    @property
    def _x_per_cell(self) -> float:
        charts = zip(self.query(Chart), self._seen, strict=False)
        return next((chart.x_per_cell for chart, key in charts if key == self._key), 0.0)

    @property
    def _bounds(self) -> tuple[float, float] | None:
        return self._album.bounds(self._view.x_axis) if self._album else None

    def _look(self, view: View) -> None:
        """Look at another part."""
        if view != self._view:
            self._view = view
            self._draw()

    def action_cursor(self, by: int) -> None:
        """Move the cursor over all charts, point by point of the chosen one."""
        if not self._key or not self._bounds:
            return
        dot = self._x_per_cell / 2  # every press is seen, however many points there are
        self._look(move_cursor(self._view, known_x(self._data(self._key)), by, dot))

    def action_first(self) -> None:
        """Put the cursor on the beginning."""
        if self._bounds:
            self._look(reveal(self._view, self._bounds, self._bounds[0]))

    def action_live(self) -> None:
        """Let the cursor go and follow the live end."""
        if self._bounds:
            shown = reveal(self._view, self._bounds, self._bounds[1])
            self._look(replace(shown, x_max=None, cursor=None))

    def action_zoom(self, factor: float) -> None:
        """Look closer, or from further away."""
        if self._bounds:
            self._look(zoom(self._view, self._bounds, factor))

    def action_pan(self, share: float) -> None:
        """Move what is seen by a share of it."""
        if self._bounds:
            self._look(pan(self._view, self._bounds, share))

    def action_whole(self) -> None:
        """Look at the whole run."""
        self._look(self._view.whole())

    # --- which chart --------------------------------------------------------------------------

    def action_choose(self, by: int) -> None:
        """Choose another chart; the page follows."""
        keys = self._matching()
        if keys:
            now = keys.index(self._key) if self._key in keys else 0
            self._choose(keys[min(max(now + by, 0), len(keys) - 1)])

    def _choose(self, key: str) -> None:
        self._key, self._was_chosen = key, True
        self._draw()

    def action_page(self, by: int) -> None:
        """Turn the page."""
        self.action_choose(by * self._arrangement.capacity)

    def action_full(self) -> None:
        """Show the chosen chart alone, or all of them again."""
        self._full = not self._full
        self._choose(self._key)

    def action_let_go(self) -> None:
        """Take away what was added last: filter being typed, cursor, full chart, filter."""
        if self.query_one(Horizontal).display:
            self._end_typing()
            self._keep_filter("")
        elif self._view.cursor is not None:
            self._look(replace(self._view, cursor=None))
        elif self._full:
            self.action_full()
        elif self._filter:
            self._keep_filter("")
        else:
            raise SkipAction

    def on_focus(self) -> None:
        """Show which chart the keys go to."""
        self._mark_chosen()

    def on_blur(self) -> None:
        """Show none as chosen while the keys go elsewhere."""
        self._mark_chosen()

    def _mark_chosen(self) -> None:
        several = self.has_focus and len(self._seen) > 1
        for chart, key in zip(self.query(Chart), self._seen, strict=False):
            chart.selected = several and key == self._key

    # --- filter -------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Let somebody type which charts to show."""
        self.query_one(Horizontal).display = True
        self.query_one(Input).value = self._filter
        self.query_one(Input).focus()
        self.call_after_refresh(self._draw)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        event.stop()
        if self.query_one(Horizontal).display:
            self._set_filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the charts."""
        event.stop()
        self._end_typing()
        self._keep_filter(event.value)

    def _end_typing(self) -> None:
        self.query_one(Horizontal).display = False
        self.focus()
        self.call_after_refresh(self._draw)

    def _set_filter(self, text: str) -> None:
        if text != self._filter:
            self._filter = text
            self._full = False
            self._draw()

    def _keep_filter(self, text: str) -> None:
        self._set_filter(text)
        if text != self.desk.settings.chart_filter:
            self.desk.settings.chart_filter = text
            self.post_message(SettingsChanged())

    # --- words --------------------------------------------------------------------------------

    def _say_why_empty(self, keys: list[str]) -> None:
        note = self.query_one("#chart-note", Static)
        words = "" if keys else self._why_empty()
        note.display = bool(words)
        if str(note.content) != words:
            note.update(words)

    def _why_empty(self) -> str:
        if self._filter:
            return "no chart has such a name · escape shows all"
        if not all(feed.loaded for feed in self._feeds):
            return "reading"
        return "the charts begin with the first step"

    def _say_where(self, keys: list[str]) -> None:
        """Say in the border which page this is, and in its lower edge what is looked at."""
        capacity = self._arrangement.capacity
        pages = -(-len(keys) // capacity) if not self._full else 0
        page = keys.index(self._key) // capacity + 1 if keys else 0
        notes = (f"{page}/{pages}" if pages > 1 else "", self._filter and f"/{self._filter}")
        self.say("  ".join(note for note in notes if note))
        words = view_phrase(self._view, self._smoothing)
        if self._view.cursor is not None and self._key:
            words = cursor_phrase(self._view, self._data(self._key), self._x_per_cell)
        if words != self._words:
            self._words = words
            self.border_subtitle = Content(words)

    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        event.stop()
        self._look(replace(self._view, cursor=event.x))

    @on(Chart.Zoomed)
    def _zoomed(self, event: Chart.Zoomed) -> None:
        event.stop()
        self._look(replace(self._view, x_min=event.x_min, x_max=event.x_max))

    @on(Chart.Chosen)
    def _chosen(self, event: Chart.Chosen) -> None:
        event.stop()
        self._full ^= event.twice
        self._choose(event.key)

    def action_export(self) -> None:
        """Save what is seen: the full chart, or all of this page."""
        if not self._seen:
            return
        charts = [(self._data(key), self._view_of(key)) for key in self._seen]
        compared = self._labels is not None
        folder = self.desk.runs if compared else self._feeds[0].layout.root
        self.run_worker(save_and_tell(self.app, folder / "exports", charts), group="export")
