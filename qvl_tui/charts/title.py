"""Write the title of a chart: its name, and what its curves are at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from qvl_tui.charts.data import ChartData, Curve, View
from qvl_tui.charts.glyphs import marker
from qvl_tui.charts.reading import direction, last_known, listed, nearest_known, read_out
from qvl_tui.charts.roles import Role, curve_role
from qvl_tui.charts.ticks import x_label
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN, count

CHOSEN, NOT_CHOSEN = "▌", " "
GAP = "  "
LONGEST_NAME = 40


@dataclass(frozen=True)
class Span:
    """Some text of one role."""

    text: str
    role: int


Words = list[Span]


def title_of(
    data: ChartData, view: View, *, left_out: int, width: int, selected: bool
) -> tuple[Span, ...]:
    """Return the title as spans that fill exactly `width` cells; the least important goes first."""
    head = [
        Span(CHOSEN if selected else NOT_CHOSEN, Role.CURSOR),
        Span(sanitise(data.title, LONGEST_NAME), Role.CHOSEN_TITLE if selected else Role.TITLE),
    ]
    for words in _versions(data, view, left_out):
        if _cells(head) + _cells(words) <= width:
            return _filled(head + words, width)
    return _filled(head, width)


def _versions(data: ChartData, view: View, left_out: int) -> Iterator[Words]:
    """Yield what follows the name, from its longest form to its shortest."""
    unit = [Span(f" {sanitise(data.unit, LONGEST_NAME)}", Role.NOTE)] if data.unit else []
    notes = [Span(note, Role.NOTE) for note in _notes(view, left_out)]
    place: Words = []
    if view.cursor is not None:
        place = [Span(f" @ {x_label(view.cursor, view.x_axis)}", Role.CURSOR)]
    readings = [_read(it, view) for it in listed(data.curves)]
    yield unit + notes + place + _joined(readings, names=True, directions=True)
    yield notes + place + _joined(readings, names=True, directions=True)
    yield unit + notes + place + _joined(readings, directions=True)
    yield unit + notes + place + _joined(readings)
    yield notes + place + _joined(readings, directions=True)
    yield place + _joined(readings, directions=True)
    yield place + _joined(readings)
    for most in range(len(readings), 0, -1):
        yield _joined(readings, most=most)


def _notes(view: View, left_out: int) -> list[str]:
    if not view.log_y:
        return []
    return [" log" + (f", {count(left_out)} ≤ 0 left out" if left_out else "")]


@dataclass(frozen=True)
class _Reading:
    """What a curve is at."""

    role: int
    marker: str
    name: str
    value: str
    direction: str


def _read(curve: Curve, view: View) -> _Reading:
    at_end = view.cursor is None
    index = last_known(curve) if at_end else nearest_known(curve, view.cursor or 0.0)
    return _Reading(
        role=curve_role(curve),
        marker=marker(curve.slot),
        name=sanitise(curve.label, LONGEST_NAME),
        value=UNKNOWN if index is None else read_out(float(curve.y[index])),
        direction=direction(curve) if at_end and curve.style != "points" else "",
    )


def _joined(
    readings: Sequence[_Reading],
    *,
    names: bool = False,
    directions: bool = False,
    most: int | None = None,
) -> Words:
    """Return readings side by side; one on its own needs neither marker nor name."""
    words: Words = []
    alone = len(readings) == 1
    gap = GAP if directions else " "
    for it in readings[:most]:
        words.append(Span(gap, Role.NOTE))
        if not alone:
            words.append(Span(it.marker, it.role))
            words.append(Span(f" {it.name} " if names and it.name else " ", Role.NOTE))
        words.append(Span(it.value, it.role if alone else Role.VALUE))
        if directions and it.direction:
            words.append(Span(f" {it.direction}", Role.NOTE))
    if most is not None and most < len(readings):
        words.append(Span(f" +{len(readings) - most}", Role.NOTE))
    return words


def _cells(words: Words) -> int:
    return sum(cell_len(word.text) for word in words)


def _filled(words: Words, width: int) -> tuple[Span, ...]:
    """Return spans of exactly `width` cells; neighbours of one role become one."""
    spans: Words = []
    room = width
    for word in words:
        text = word.text if cell_len(word.text) <= room else set_cell_size(word.text, room)
        room -= cell_len(text)
        if spans and spans[-1].role == word.role:
            spans[-1] = Span(spans[-1].text + text, word.role)
        elif text:
            spans.append(Span(text, word.role))
    if room:
        spans.append(Span(" " * room, Role.BLANK))
    return tuple(spans)
