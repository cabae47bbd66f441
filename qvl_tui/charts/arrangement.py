"""Lay charts out in a grid that fits the room there is."""

from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 28, 7  # of a chart, in cells
GOOD_HEIGHT = 8  # once there are two rows
WIDE_ENOUGH = (60, 110, 170)  # from which on there are two, three and four columns
MOST_COLUMNS = len(WIDE_ENOUGH) + 1


@dataclass(frozen=True)
class Arrangement:
    """How many charts lie beside and below each other."""

    columns: int
    rows: int

    @property
    def capacity(self) -> int:
        """How many charts there are on a page."""
        return self.columns * self.rows


def arrange(width: int, height: int, charts: int, columns: int = 0) -> Arrangement:
    """Return the grid for so many charts; `columns` is what a person chose, 0 for what fits."""
    columns = min(columns or 1 + sum(width >= wide for wide in WIDE_ENOUGH), most_columns(width))
    columns = max(1, min(columns, charts))
    rows = max(height // GOOD_HEIGHT, min(height // LEAST_HEIGHT, 2), 1)
    return Arrangement(columns, max(1, min(rows, -(-charts // columns))))


def most_columns(width: int) -> int:
    """Return how many columns a person can choose."""
    return max(1, min(MOST_COLUMNS, width // LEAST_WIDTH))


def next_columns(columns: int, width: int) -> int:
    """Return the choice after `columns`: what fits (0), 1, 2, ..."""
    return 0 if columns >= most_columns(width) else columns + 1
