"""A chart on the screen: braille curves that repaint only the cells that changed."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from qvl_tui.charts.data import ChartData, View
from qvl_tui.charts.frame import Frame, framed
from qvl_tui.charts.plot import Layout, Plot, plotted
from qvl_tui.charts.reading import nearest_place
from qvl_tui.charts.roles import Role
from qvl_tui.charts.view import Bounds, pan, zoom
from qvl_tui.themes import series_styles

WHEEL_FACTOR = 1.5
WHEEL_SHARE = 0.1  # of what is seen, that a sideways turn of the wheel pans


class Chart(Widget):
    """One chart. The view belongs to whoever shows it; the mouse only asks for another one."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; }
    Chart > .chart--title { text-style: bold; }
    Chart > .chart--chosen-title { text-style: bold reverse; }
    Chart > .chart--note, Chart > .chart--axis, Chart > .chart--label { text-style: dim; }
    Chart > .chart--cursor { color: $accent; }
    Chart > .chart--cursor-label { color: $accent; text-style: bold reverse; }
    Chart > .chart--checkpoint, Chart > .chart--evaluation { text-style: dim; }
    Chart > .chart--resume { color: $accent; }
    Chart > .chart--alert { color: $warning; }
    Chart > .chart--non-finite { color: $error; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"chart--{role.name.lower().replace('_', '-')}"
        for role in Role
        if Role.BLANK < role < Role.CURVE
    }
    ALLOW_SELECT = False  # dragging pans

    selected: reactive[bool] = reactive(False, repaint=False)

    class CursorMoved(Message):
        """The pointer asks for the cursor at a place."""

        def __init__(self, x: float) -> None:
            self.x = x
            super().__init__()

    class Zoomed(Message):
        """The pointer asks to see another part; None as in `View`."""

        def __init__(self, x_min: float | None, x_max: float | None) -> None:
            self.x_min = x_min
            self.x_max = x_max
            super().__init__()

    class Panned(Zoomed):
        """The pointer drags what is seen."""

    class Chosen(Message):
        """A chart was clicked; `twice` asks to see it alone."""

        def __init__(self, key: str, *, twice: bool) -> None:
            self.key = key
            self.twice = twice
            super().__init__()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._shown: tuple[ChartData, View] | None = None
        self._plot: Plot | None = None
        self._plotted: tuple[object, ...] = ()
        self._frame: Frame | None = None
        self._styles: dict[int, Style] = {}
        self._grip: tuple[int, View] | None = None  # where a drag began, and what was seen then
        self._dragged = False

    @property
    def bounds(self) -> Bounds | None:
        """The first and last x of the data, None without any."""
        return self._plot.bounds if self._plot else None

    @property
    def x_per_cell(self) -> float:
        """How much of the x-axis one column of cells shows; 0 before there is anything to see."""
        if self._plot is None or not self._plot.layout.plot_width:
            return 0.0
        left, right = self._plot.window
        return (right - left) / self._plot.layout.plot_width

    def show(self, data: ChartData, view: View) -> None:
        """Show a part of the data; costs nothing when both are what is shown already."""
        if self._shown is not None and self._shown[0] is data and self._shown[1] == view:
            return
        self._shown = data, view
        self._draw()

    def on_resize(self) -> None:
        """Draw at the new size."""
        self._draw()

    def watch_selected(self) -> None:
        """Say in the title whether this chart is the chosen one."""
        self._draw()

    def notify_style_update(self) -> None:
        """Forget the styles of a theme that is gone."""
        self._styles = {}
        super().notify_style_update()

    def _draw(self) -> None:
        """Compute the frame anew, and repaint where it differs from the last one."""
        if self._shown is None or not self.size or not self.is_attached:
            return
        data, view = self._shown
        self._plot = plot = self._drawn_curves(data, view)
        before, self._frame = self._frame, framed(plot, data, view, selected=self.selected)
        regions = [Region(x, y, width, 1) for y, x, width in self._frame.changed(before)]
        if regions:
            self.refresh(*regions)

    def _drawn_curves(self, data: ChartData, view: View) -> Plot:
        """Return the curves; they are drawn anew only when more than the cursor changed."""
        plain = self.app.no_color or self.app.current_theme.ansi
        layout = Layout(self.size.width, self.size.height)
        wanted = (id(data), view.x_axis, view.x_min, view.x_max, view.log_y, layout, plain)
        if self._plot is not None and wanted == self._plotted:
            return self._plot
        self._plotted = wanted
        before = self._plot.scale if self._plot and self._plot.key == data.key else None
        return plotted(data, view, layout, plain=plain, before=before)

    def render_line(self, y: int) -> Strip:
        """Return a row of cells, exactly as wide as the widget."""
        width = self.size.width
        if self._frame is None or self._frame.width != width or y >= self._frame.height:
            return Strip.blank(width, self.rich_style)
        spans = self._frame.line(y)
        segments = [Segment(span.text, self._style(span.role)) for span in spans]
        return Strip(segments, width).simplify()

    def _style(self, role: int) -> Style:
        if role not in self._styles:
            self._styles[role] = self._new_style(role)
        return self._styles[role]

    def _new_style(self, role: int) -> Style:
        if role >= Role.GHOST:
            return self.rich_style + series_styles(self.app)[role - Role.GHOST] + Style(dim=True)
        if role >= Role.CURVE:
            return self.rich_style + series_styles(self.app)[role - Role.CURVE]
        if role == Role.BLANK:
            return self.rich_style
        name = f"chart--{Role(role).name.lower().replace('_', '-')}"
        return self.get_component_rich_style(name)

    # The mouse

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Look closer at what is under the pointer."""
        self._wheel(event, WHEEL_FACTOR)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Look from further away."""
        self._wheel(event, 1 / WHEEL_FACTOR)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move to what was before."""
        event.stop()
        self._pan(-WHEEL_SHARE)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move to what comes after."""
        event.stop()
        self._pan(WHEEL_SHARE)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the plot."""
        if self._shown is not None and event.button == 1:
            self._grip = event.screen_x, self._shown[1]
            self._dragged = False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the plot."""
        if self._grip is None or self._plot is None or not self._plot.layout.plot_width:
            return
        begin, view = self._grip
        moved = event.screen_x - begin
        if moved or self._dragged:
            self._dragged = True
            self._pan(-moved / self._plot.layout.plot_width, view)

    def on_mouse_up(self) -> None:
        """Let go of the plot."""
        self._grip = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """Choose this chart and put the cursor on the nearest known value."""
        if self._shown is None or self._dragged:
            return
        data, _ = self._shown
        self.post_message(self.Chosen(data.key, twice=event.chain == 2))
        x = self._x_at(event.get_content_offset(self))
        place = None if x is None else nearest_place(data.curves, x)
        if place is not None:
            self.post_message(self.CursorMoved(place))

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        event.stop()
        x = self._x_at(event.get_content_offset(self))
        if self._shown is None or self.bounds is None or x is None:
            return
        view = zoom(self._shown[1], self.bounds, factor, x)
        if view != self._shown[1]:
            self.post_message(self.Zoomed(view.x_min, view.x_max))

    def _pan(self, share: float, view: View | None = None) -> None:
        if self._shown is None or self.bounds is None:
            return
        moved = pan(view or self._shown[1], self.bounds, share)
        if moved != self._shown[1]:
            self.post_message(self.Panned(moved.x_min, moved.x_max))

    def _x_at(self, offset: Offset | None) -> float | None:
        """Return the place on the x-axis at a cell, None beside the plot."""
        if offset is None or self._plot is None:
            return None
        column = offset.x - self._plot.layout.gutter
        return self._plot.x_of(column) if 0 <= column < self._plot.layout.plot_width else None
