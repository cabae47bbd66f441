"""Put words into a line, leaving whole ones out where there is no room for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

GAP = 3  # cells between words
COLUMN_GAP = 2


@dataclass(frozen=True)
class Words:
    """Words that stay together; the higher the rank, the sooner they are left out."""

    text: Content
    rank: int = 0


def fitted(
    width: int, left: Sequence[Words], right: Sequence[Words] = (), gap: int = GAP
) -> Content:
    """Return a line with words at its left and at its right end."""
    left, right = [it for it in left if it.text], [it for it in right if it.text]
    while len(left) + len(right) > 1 and _length(left, right, gap) > width:
        least = max((*left, *right), key=lambda it: it.rank)
        (left if any(it is least for it in left) else right).remove(least)
    blank = Content(" " * gap)
    start, end = (blank.join([it.text for it in side]) for side in (left, right))
    if not end:
        return start.truncate(width, ellipsis=True)
    room = width - start.cell_length - end.cell_length
    return Content.assemble(start, " " * max(room, 0), end).truncate(width, ellipsis=True)


def _length(left: Sequence[Words], right: Sequence[Words], gap: int) -> int:
    words = [*left, *right]
    return sum(it.text.cell_length for it in words) + gap * (len(words) - 1)


@dataclass(frozen=True)
class Column:
    """A column of a table; the higher the rank, the sooner it is left out."""

    title: str
    rank: int = 0
    right: bool = False  # aligned, as numbers are
    stretch: bool = False  # takes what is left, and is cut to it


def table(
    width: int, columns: Sequence[Column], rows: Sequence[Sequence[Content]]
) -> tuple[Content, list[Content]]:
    """Return the heading and the rows of a table of the columns there is room for."""
    widths = [
        max([len(column.title), *(row[place].cell_length for row in rows)])
        for place, column in enumerate(columns)
    ]
    kept = _columns_with_room(width, columns, widths)
    heads = [Content.styled(column.title, "$text-muted") for column in columns]
    rest = width - sum(widths[place] + COLUMN_GAP for place in kept) + COLUMN_GAP
    for place in kept:
        if columns[place].stretch:
            widths[place] = max(widths[place] + min(rest, 0), 1)
    lines = [_table_line(row, columns, widths, kept) for row in (heads, *rows)]
    return lines[0], lines[1:]


LEAST_STRETCH = 12  # cells below which a stretching column is worth nothing


def _columns_with_room(width: int, columns: Sequence[Column], widths: Sequence[int]) -> list[int]:
    kept = list(range(len(columns)))
    least = [
        min(wide, LEAST_STRETCH) if column.stretch else wide
        for column, wide in zip(columns, widths, strict=True)
    ]
    while len(kept) > 1 and sum(least[it] for it in kept) + COLUMN_GAP * (len(kept) - 1) > width:
        kept.remove(max(kept, key=lambda it: columns[it].rank))
    return kept


def _table_line(
    cells: Sequence[Content], columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int]
) -> Content:
    parts: list[Content] = []
    for place in kept:
        cell = cells[place].truncate(widths[place], ellipsis=True)
        blank = " " * (widths[place] - cell.cell_length)
        parts.append(
            Content.assemble(blank, cell) if columns[place].right else Content.assemble(cell, blank)
        )
    return Content(" " * COLUMN_GAP).join(parts).rstrip()
