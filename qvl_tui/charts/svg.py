"""Write what is seen of a chart as a standalone SVG picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from qvl_tui.charts.buckets import Buckets, bucketed
from qvl_tui.charts.data import ChartData, Curve, Mark, View
from qvl_tui.charts.frame import X_NAMES
from qvl_tui.charts.glyphs import MARK_GLYPHS, MARKERS
from qvl_tui.charts.reading import listed
from qvl_tui.charts.scale import Scale, fitted
from qvl_tui.charts.ticks import x_ticks
from qvl_tui.charts.view import Bounds, data_bounds, window
from trainer.run.text import sanitise

LEFT, RIGHT, TOP, BOTTOM = 64, 20, 60, 40  # pixels around the plot
FAR = 1e5  # pixels
CHARACTER = 7.0  # pixels of width, about
TICK_HEIGHT = 50  # pixels per tick of the y-axis
CENTRED = ' text-anchor="middle"'
FONT = "font-family=\"system-ui, 'DejaVu Sans', sans-serif\""
# Okabe and Ito, "Color Universal Design" (2008); yellow and black by the ground they lie on.
DARK = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#2f86c9", "#d0d4d9")
LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b38f00", "#56b4e9", "#8a4fbf", "#333333")


@dataclass(frozen=True)
class _Ground:
    """The plot: where it lies, what it shows, and its colours."""

    width: int
    height: int
    window: Bounds
    scale: Scale
    ink: str
    quiet: str
    paper: str
    series: tuple[str, ...]

    @property
    def right(self) -> int:
        return self.width - RIGHT

    @property
    def bottom(self) -> int:
        return self.height - BOTTOM

    def x(self, value: float) -> float:
        """Return the pixel of a place on the x-axis."""
        low, high = self.window
        return _near(LEFT + (value - low) / (high - low) * (self.right - LEFT))

    def y(self, value: float) -> float:
        """Return the pixel of a value."""
        share = float(self.scale.height_of(np.array([value]))[0])
        return _near(self.bottom - share * (self.bottom - TOP))

    def colour(self, curve: Curve) -> str:
        """Return the colour of a curve."""
        return self.series[curve.slot % len(self.series)]


def chart_svg(
    data: ChartData, view: View, width_px: int = 800, height_px: int = 400, *, dark: bool = False
) -> str:
    """Return a picture of the part that is seen; all text in it is escaped."""
    seen = window(view, data_bounds(data) or (0.0, 1.0))
    width, height = max(width_px, LEFT + RIGHT + 40), max(height_px, TOP + BOTTOM + 40)
    columns = width - LEFT - RIGHT
    drawn = [(it, bucketed(it, seen, columns, log=view.log_y)) for it in data.curves]
    scale = fitted(data, (it.extent() for _, it in drawn), log=view.log_y)
    colours = ("#d7dce2", "#7d8794", "#14171b") if dark else ("#22272e", "#7a828c", "#ffffff")
    ground = _Ground(width, height, seen, scale, *colours, series=DARK if dark else LIGHT)
    drawn.sort(key=lambda it: it[0].style != "ghost")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {FONT} font-size="12" fill="{ground.ink}">',
        f'<rect width="{width}" height="{height}" fill="{ground.paper}"/>',
        f'<clipPath id="plot"><rect x="{LEFT}" y="{TOP - 2}" width="{columns}" '
        f'height="{ground.bottom - TOP + 4}"/></clipPath>',
        *_heading(ground, data, view),
        *_axes(ground, view),
        *(_mark(ground, mark) for mark in data.marks if seen[0] <= mark.x <= seen[1]),
        '<g clip-path="url(#plot)" fill="none" stroke-linejoin="round">',
        *(line for curve, buckets in drawn for line in _curve(ground, curve, buckets)),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _near(pixel: float) -> float:
    """Return a pixel that is not so far off that a renderer loses it."""
    return min(max(pixel, -FAR), FAR)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(sanitise(words, None))}</text>'


def _heading(ground: _Ground, data: ChartData, view: View) -> Iterator[str]:
    """Yield the title, and a legend where there are several curves."""
    unit = f" ({data.unit})" if data.unit else ""
    log = ", logarithmic" if view.log_y else ""
    yield _text(LEFT, 20, f"{data.title}{unit}{log}", ' font-size="15" font-weight="600"')
    named = listed(data.curves)
    x = float(LEFT)
    for curve in named if len(named) > 1 else ():
        yield _symbol(curve.slot, x + 5, 36, ground.colour(curve))
        yield _text(x + 14, 40, curve.label, f' fill="{ground.quiet}"')
        x += 30 + CHARACTER * len(curve.label)


def _axes(ground: _Ground, view: View) -> Iterator[str]:
    right, bottom, quiet = ground.right, ground.bottom, ground.quiet
    for tick in ground.scale.ticks(max(2, (bottom - TOP) // TICK_HEIGHT)):
        y = ground.y(tick.value)
        yield (
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" '
            f'stroke="{quiet}" stroke-opacity="0.25"/>'
        )
        yield _text(LEFT - 8, y + 4, tick.label, f' text-anchor="end" fill="{quiet}"')
    for tick in x_ticks(*ground.window, view.x_axis, int((right - LEFT) / CHARACTER)):
        x = ground.x(tick.value)
        yield f'<path d="M{x:.1f} {bottom}v5" stroke="{quiet}"/>'
        yield _text(x, bottom + 18, tick.label, f'{CENTRED} fill="{quiet}"')
    name = X_NAMES[view.x_axis]
    yield _text(right, bottom + 34, name, f' text-anchor="end" fill="{quiet}"')
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="{quiet}"/>'


def _mark(ground: _Ground, mark: Mark) -> str:
    x = ground.x(mark.x)
    words = escape(sanitise(mark.label or mark.kind.replace("_", "-"), None))
    return (
        f'<g><title>{words}</title><path d="M{x:.1f} {TOP}V{ground.bottom}" '
        f'stroke="{ground.quiet}" stroke-dasharray="2 4"/>'
        f"{_text(x, TOP - 3, MARK_GLYPHS[mark.kind], CENTRED)}"
        "</g>"
    )


def _curve(ground: _Ground, curve: Curve, buckets: Buckets) -> Iterator[str]:
    colour = ground.colour(curve)
    if curve.style == "points":
        for index in np.flatnonzero(buckets.inside).tolist():
            for x, y in _corners(buckets, index):
                yield _symbol(curve.slot, ground.x(x), ground.y(y), colour)
        return
    faint = ' stroke-opacity="0.35"' if curve.style == "ghost" else ""
    width = 1 if curve.style == "ghost" else 1.6
    for stretch in _stretches(buckets):
        points = [corner for index in stretch for corner in _corners(buckets, index)]
        if len(points) == 1:
            yield _symbol(curve.slot, ground.x(points[0][0]), ground.y(points[0][1]), colour)
            continue
        if curve.style == "steps":
            points = list(_stairs(points))
        path = " ".join(f"{ground.x(x):.1f},{ground.y(y):.1f}" for x, y in points)
        yield f'<polyline points="{path}" stroke="{colour}" stroke-width="{width}"{faint}/>'


def _stretches(buckets: Buckets) -> Iterator[range]:
    """Yield the buckets that one line goes through."""
    ends = [*(np.flatnonzero(~buckets.joined) + 1).tolist(), len(buckets.column)]
    begin = 0
    for end in ends:
        if end > begin:
            yield range(begin, end)
        begin = end


def _corners(buckets: Buckets, index: int) -> list[tuple[float, float]]:
    """Return the points that stand for a bucket: its ends, and its extremes between them."""
    first_x, last_x = float(buckets.first_x[index]), float(buckets.last_x[index])
    first, last = float(buckets.first[index]), float(buckets.last[index])
    if first_x == last_x:
        return [(first_x, first)]
    middle = (first_x + last_x) / 2
    extremes = [float(buckets.low[index]), float(buckets.high[index])]
    inner = [(middle, it) for it in extremes if it not in (first, last)]
    return [(first_x, first), *inner, (last_x, last)]


def _stairs(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    before = points[0][1]
    for x, y in points:
        yield x, before
        yield x, y
        before = y


def _symbol(slot: int, x: float, y: float, colour: str) -> str:
    """Return the marker of a slot: circle, square, triangle or diamond, full or hollow."""
    slot %= len(MARKERS)
    look = f'fill="{colour}"' if slot < 4 else f'fill="none" stroke="{colour}" stroke-width="1.5"'
    if slot % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" {look}/>'
    shapes = ("", "m-3.3-3.3h6.6v6.6h-6.6z", "m0-4.2l4 7h-8z", "m0-4.4l4.4 4.4-4.4 4.4-4.4-4.4z")
    return f'<path d="M{x:.1f} {y:.1f}{shapes[slot % 4]}" {look}/>'
