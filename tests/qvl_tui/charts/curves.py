"""Charts for tests."""

import numpy as np
from hypothesis import strategies as st

from qvl_tui.charts.data import ChartData, Curve, CurveStyle, Mark, MarkKind, View
from qvl_tui.charts.frame import Frame, framed
from qvl_tui.charts.plot import Layout, plotted
from qvl_tui.charts.raster import Dots

STYLES: tuple[CurveStyle, ...] = ("line", "ghost", "points", "steps")
KINDS: tuple[MarkKind, ...] = ("checkpoint", "evaluation", "resume", "alert", "non_finite")
AXES = ("step", "epoch", "samples", "target_tokens", "elapsed", "clock")


def line(*values: float, label: str = "train", style: CurveStyle = "line", slot: int = 0) -> Curve:
    """Return a curve at steps 1, 2, 3, ..."""
    y = np.array(values, float)
    return Curve(label, np.arange(1.0, len(y) + 1), y, style, slot)


def chart(*curves: Curve, marks: tuple[Mark, ...] = (), **more: object) -> ChartData:
    """Return a chart of some curves."""
    return ChartData("loss", "loss", "", curves, marks, **more)  # type: ignore[arg-type]


def drawn(
    data: ChartData,
    view: View | None = None,
    size: tuple[int, int] = (60, 12),
    *,
    plain: bool = False,
    selected: bool = False,
) -> Frame:
    """Return the frame of a chart."""
    view = view or View()
    plot = plotted(data, view, Layout(*size), plain=plain)
    return framed(plot, data, view, selected=selected)


def lines_of(frame: Frame) -> list[str]:
    """Return the rows of a frame as text."""
    return ["".join(span.text for span in frame.line(row)) for row in range(frame.height)]


def dots_of(frame: Frame, gutter: int) -> Dots:
    """Return the dots of the plot, four rows and two columns a cell."""
    cells = frame.cells[: frame.height - bool(frame.title) - (frame.height >= 5), gutter:]
    bits = np.where((cells > 0x2800) & (cells < 0x2900), cells - 0x2800, 0)
    weights = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
    dots = (bits[:, None, :, None] & weights[None, :, None, :]) > 0
    return dots.reshape(bits.shape[0] * 4, bits.shape[1] * 2)


@st.composite
def any_curve(draw: st.DrawFn) -> Curve:
    """Return any series: unknown, infinite, huge, tiny, constant, of no point or of one."""
    y = np.array(draw(st.lists(st.floats(), max_size=12)), float)
    y = np.repeat(y, draw(st.sampled_from([1, 1, 50])))
    step = draw(st.sampled_from([0.0, 1e-6, 0.5, 1.0, 3600.0]))
    x = np.linspace(0.0, 1.0, len(y)) * len(y) * step
    x += draw(st.sampled_from([-1e9, 0.0, 1.0, 2e9]))
    style = draw(st.sampled_from(STYLES))
    return Curve(draw(st.text(max_size=4)), x, y, style, draw(st.integers(0, 11)))


@st.composite
def any_chart(draw: st.DrawFn) -> ChartData:
    """Return any chart."""
    marks = st.builds(Mark, st.floats(-1e9, 3e9), st.sampled_from(KINDS), st.text(max_size=5))
    return ChartData(
        key="key",
        title=draw(st.text(max_size=8)),
        unit=draw(st.sampled_from(["", "s", "日本"])),
        curves=tuple(draw(st.lists(any_curve(), max_size=3))),
        marks=tuple(draw(st.lists(marks, max_size=3))),
        y_range=draw(st.none() | st.just((0.0, 1.0))),
    )


@st.composite
def any_view(draw: st.DrawFn) -> View:
    """Return any view, also of places where nothing is."""
    place = st.none() | st.floats(-1e9, 3e9)
    low, high = draw(place), draw(place)
    if low is not None and high is not None and low > high:
        low, high = high, low
    axis = draw(st.sampled_from(AXES))
    return View(axis, low, high, draw(place), draw(st.booleans()))  # type: ignore[arg-type]
