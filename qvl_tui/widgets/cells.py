"""Cut text by the cells it takes in a terminal, never inside a character."""

from rich.cells import cell_len, split_graphemes

Grapheme = tuple[int, int, int]  # first index, end index, cells

_JOINER = "\u200d"
_VARIATION = "\ufe0f"


def displayable(text: str) -> str:
    """Return sanitised text whose parts take the same cells as the whole.

    Joiners at its ends would join it to what is drawn beside it.
    """
    return text if text.isascii() else text.lstrip(_JOINER + _VARIATION).rstrip(_JOINER)


def cells_of(text: str) -> int:
    """Return how many cells displayable text takes."""
    return len(text) if text.isascii() else cell_len(text)


def graphemes(text: str) -> list[Grapheme]:
    """Return the characters as a reader sees them, with the cells of each."""
    if text.isascii():
        return [(index, index + 1, 1) for index in range(len(text))]
    return split_graphemes(text)[0]


def rows_of(text: str, cells: int, width: int) -> int:
    """Return how many rows of `width` cells text of `cells` cells takes; at least one."""
    if cells <= width:
        return 1
    if len(text) == cells and text.isascii():
        return -(-cells // width)
    return len(row_starts(text, width))


def row_starts(text: str, width: int) -> list[int]:
    """Return the index of the first character of each row of at most `width` cells."""
    if text.isascii():
        return list(range(0, len(text), width)) or [0]
    starts, used = [0], 0
    for start, _, cells in graphemes(text):
        if used + cells > width and start > starts[-1]:
            starts.append(start)
            used = 0
        used += cells
    return starts


def cut(text: str, first_cell: int, width: int) -> tuple[int, int, int]:
    """Return where the part that lies in `width` cells from `first_cell` on begins and ends.

    The third number is how many cells before that part stay blank, because half of a wide
    character would have to lie there.
    """
    if text.isascii():
        return min(first_cell, len(text)), min(first_cell + width, len(text)), 0
    position, begin, end, blank = 0, len(text), len(text), 0
    for start, _, cells in graphemes(text):
        if position >= first_cell and begin == len(text):
            begin, blank = start, min(position - first_cell, width)
        position += cells
        if position > first_cell + width:
            end = start
            break
    return min(begin, end), end, blank
