"""The columns of the list of runs: which fit, what each says, and how to sort by it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from rich.cells import cell_len, set_cell_size

from qvl_tui.run_line import RunLine
from qvl_tui.themes import state_words
from qvl_tui.widgets.bars import history
from trainer.words.lines import GLYPHS
from trainer.words.numbers import UNKNOWN, count, duration, significant

GAP = 2
LEAST_NAME = 16  # cells; a longer name is cut only where nothing else can be left out
LONGEST_NAME = 40
LONGEST_METHOD = 24
LEAST_TREND, LONGEST_TREND = 8, 32
LEAST_WORDS = 36
ALWAYS = 0  # rank of a column that is there however narrow it is

Cell = tuple[str, str]  # text and style
Cells = tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; the lower its rank, the sooner it gets room."""

    key: str
    title: str
    rank: int
    cell: Callable[[RunLine, float], Cell]
    sort: Callable[[RunLine, float], Any] | None = None  # what is sorted by; unknown comes last
    falling: bool = False  # whether the largest comes first
    right: bool = False
    width: int = 0

    @property
    def least(self) -> int:
        """The width below which it is worth nothing."""
        match self.key:
            case "name":
                return min(self.width, LEAST_NAME)
            case "trend":
                return LEAST_TREND
            case _:
                return self.width


def ago(seconds: float | None) -> str:
    """Return how long ago something was, in its largest unit: `3 h ago`."""
    if seconds is None:
        return UNKNOWN
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def _state(line: RunLine, _now: float) -> Cell:
    return f"{GLYPHS[line.state]} {line.state}", state_words(line.state)


def going(seconds: float | None) -> str:
    """Return how long something goes on, to the minute, so that it rarely changes: `1 h 02 m`."""
    if seconds is None or seconds < 60 or seconds >= 3600:
        return duration(seconds)
    return f"{seconds // 60:.0f} m"


def _age(line: RunLine, now: float) -> Cell:
    if line.live:
        return going(line.elapsed(now)), ""
    return ago(line.age(now)), "$text-muted"


def _age_order(line: RunLine, now: float) -> tuple[float, float] | None:
    age = line.age(now)
    return None if age is None else (age, -line.started)


def _share(line: RunLine, _now: float) -> Cell:
    share = line.progress
    return (UNKNOWN if share is None else f"{share * 100:.0f} %"), ""


def _steps(line: RunLine, _now: float) -> Cell:
    return f"{count(line.step)}/{count(line.total)}", ""


def _number(read: Callable[[RunLine], float | None]) -> Callable[[RunLine, float], Cell]:
    return lambda line, _now: (significant(read(line)), "")


COLUMNS = (
    Column(
        key="state",
        title="state",
        rank=ALWAYS,
        cell=_state,
        sort=lambda line, _: list(GLYPHS).index(line.state),
        width=10,
    ),
    Column(key="age", title="age", rank=2, cell=_age, sort=_age_order, right=True, width=9),
    Column(
        key="name",
        title="name",
        rank=ALWAYS,
        cell=lambda line, _: (line.name, "bold" if line.live else ""),
        sort=lambda line, _: line.name.casefold(),
    ),
    Column(
        key="model",
        title="model",
        rank=9,
        cell=lambda line, _: (line.model, "$text-muted"),
        sort=lambda line, _: line.model.casefold(),
    ),
    Column(
        key="method",
        title="method",
        rank=8,
        cell=lambda line, _: (shortened(line.method, LONGEST_METHOD), "$text-muted"),
        sort=lambda line, _: line.method.casefold(),
    ),
    Column(
        key="step",
        title="step",
        rank=1,
        cell=_steps,
        sort=lambda line, _: line.step,
        falling=True,
        right=True,
    ),
    Column(
        key="done",
        title="done",
        rank=10,
        cell=_share,
        sort=lambda line, _: line.progress,
        falling=True,
        right=True,
        width=5,
    ),
    Column(
        key="loss",
        title="loss",
        rank=2,
        cell=_number(lambda line: line.loss),
        sort=lambda line, _: line.loss,
        right=True,
        width=5,
    ),
    Column(
        key="val",
        title="val",
        rank=4,
        cell=_number(lambda line: line.validation),
        sort=lambda line, _: line.validation,
        right=True,
        width=5,
    ),
    Column(
        key="speed",
        title="s/step",
        rank=6,
        cell=_number(lambda line: line.step_seconds),
        sort=lambda line, _: line.step_seconds,
        right=True,
        width=6,
    ),
    Column(
        key="left",
        title="left",
        rank=11,
        cell=lambda line, _: (going(line.left_seconds), ""),
        sort=lambda line, _: line.left_seconds,
        right=True,
        width=9,
    ),
    Column(
        key="trend",
        title="trend",
        rank=7,
        cell=lambda _, __: ("", "$accent"),
        width=LONGEST_TREND,
    ),
)
BY_KEY = {column.key: column for column in COLUMNS if column.sort}
SORT_KEYS = tuple(BY_KEY)


def sorted_lines(lines: Sequence[RunLine], key: str, now: float, *, reverse: bool) -> list[RunLine]:
    """Return the runs by a column, those where it is unknown last, the newer first among equals."""
    column = BY_KEY.get(key, BY_KEY["age"])
    order = column.sort
    assert order is not None
    newest_first = sorted(lines, key=lambda line: (-line.touched, line.layout.name))
    known = [line for line in newest_first if order(line, now) is not None]
    unknown = [line for line in newest_first if order(line, now) is None]
    known.sort(key=lambda line: order(line, now), reverse=column.falling)
    return [*(reversed(known) if reverse else known), *unknown]


def columns_that_fit(
    lines: Sequence[RunLine], width: int, now: float, sorted_by: str
) -> list[Column]:
    """Return the columns there is room for, each with its width; none is cut but the name."""
    measured = [_measured(column, lines, now, sorted_by) for column in COLUMNS]
    columns: list[Column] = []
    for column in sorted(measured, key=lambda it: it.rank):
        if column.rank == ALWAYS or _total(it.least for it in (*columns, column)) <= width:
            columns.append(column)
    columns.sort(key=measured.index)
    room = width - _total(column.least for column in columns)
    return [_stretched(column, room, columns) for column in columns]


def _measured(column: Column, lines: Sequence[RunLine], now: float, sorted_by: str) -> Column:
    title = len(column.title) + (2 if column.key == sorted_by else 0)
    if column.key == "trend":
        return column
    widest = max((cell_len(column.cell(line, now)[0]) for line in lines), default=0)
    width = max(title, widest, column.width)
    return replace(column, width=min(width, LONGEST_NAME) if column.key == "name" else width)


def _stretched(column: Column, room: int, columns: Sequence[Column]) -> Column:
    """Give the name what it wants of the room, then the trend what is left."""
    name = next(it for it in columns if it.key == "name")
    for_name = max(min(name.width - name.least, room), 0)
    if column.key == "name":
        return replace(column, width=max(column.least + min(for_name, room), 1))
    if column.key == "trend":
        return replace(column, width=min(column.least + room - for_name, LONGEST_TREND))
    return column


def _total(widths: Any) -> int:
    return sum(width + GAP for width in widths) - GAP


def heading(columns: Sequence[Column], sorted_by: str, *, reverse: bool) -> list[Cell]:
    """Return the titles, an arrow at the one that is sorted by."""
    cells: list[Cell] = []
    for column in columns:
        title, style = column.title, "$text-muted"
        if column.key == sorted_by:
            title += " ▼" if column.falling != reverse else " ▲"
            style = "$text bold"
        cells += [(_padded(title, column), style), (" " * GAP, "")]
    return cells[:-1]


def row(line: RunLine, columns: Sequence[Column], now: float, width: int) -> Cells:
    """Return a run's cells; one with something to say says it where least is lost."""
    shown = len(columns)
    if line.says:
        shown = _columns_before_words(columns, width)
    cells: list[Cell] = []
    for column in columns[:shown]:
        text, style = column.cell(line, now)
        if column.key == "trend":
            text, style = trend(line, column.width, style)
        cells += [(_padded(text, column), style), (" " * GAP, "")]
    if line.says:
        return (*cells, *_words(line, width - sum(it.width + GAP for it in columns[:shown])))
    return tuple(cells[:-1])


def _columns_before_words(columns: Sequence[Column], width: int) -> int:
    """Return how many columns leave room for words; the name stays in any case."""
    named = next(place for place, column in enumerate(columns) if column.key == "name") + 1
    last = len(columns) - (columns[-1].key == "trend")
    for place in range(last, named, -1):
        if width - sum(it.width + GAP for it in columns[:place]) >= LEAST_WORDS:
            return place
    return named


def _words(line: RunLine, width: int) -> Cells:
    """Return what a run says and what to do; the latter only where both have room."""
    remedy = f" · {line.remedy}" if line.remedy else ""
    if width - cell_len(remedy) < LEAST_TREND:
        remedy = ""
    style = state_words(line.state).removeprefix("bold ") if line.trouble else "$text-muted"
    words = shortened(line.says, max(width - cell_len(remedy), 0))
    return (words, style), (remedy, "$text bold")


def trend(line: RunLine, width: int, style: str) -> Cell:
    """Return the loss over the run as bars; what a live run that is not training does instead."""
    if line.doing:
        return shortened(line.doing, width), "$text-muted"
    return sparkline(line.points, width), style


def sparkline(points: Sequence[float], width: int) -> str:
    """Return at most `width` bars, each the mean of its part of the points."""
    if not points or width < 1:
        return ""
    cells = min(width, len(points))
    edges = [place * len(points) // cells for place in range(cells + 1)]
    means = [sum(points[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    return history([(mean - low) / (high - low) if high > low else 0.0 for mean in means])


def shortened(text: str, width: int) -> str:
    """Return text cut after a whole word where it is too long."""
    if cell_len(text) <= width:
        return text
    kept = ""
    for word in text.split(" "):
        longer = f"{kept} {word}" if kept else word
        if cell_len(longer) > width - 2:
            break
        kept = longer
    return f"{kept} …" if kept else cut(text, width)


def cut(text: str, width: int) -> str:
    """Return text of at most `width` cells, an ellipsis at its end where it is cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"[:width]


def _padded(text: str, column: Column) -> str:
    text = cut(text, column.width)
    blank = " " * (column.width - cell_len(text))
    return blank + text if column.right else text + blank
