"""Contrast limited adaptive histogram equalisation (Zuiderveld, 1994)."""

# H and W the picture's height and width, R and C rows and columns of tiles

import numpy as np

LEVELS = 256
ROWS_AT_ONCE = 64  # so that little memory is needed


def equalized(values: np.ndarray, tiles: int, clip_limit: float) -> np.ndarray:
    """Return brightness (H, W), uint8, evened out within `tiles` x `tiles` neighbourhoods.

    In no histogram a level counts for more than `clip_limit` times the mean; what is above is
    spread over all levels. Between the centres of tiles their curves are mixed.
    """
    height, width = values.shape
    rows, columns = min(tiles, height), min(tiles, width)
    curves = _curves(values, rows, columns, clip_limit)
    above, below, down = _neighbours(height, rows)
    left, right, across = _neighbours(width, columns)
    even = np.empty_like(values)
    for start in range(0, height, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        level, up, low = values[part], above[part, None], below[part, None]
        share = down[part, None]
        upper = curves[up, left, level] * (1 - across) + curves[up, right, level] * across
        lower = curves[low, left, level] * (1 - across) + curves[low, right, level] * across
        even[part] = np.rint(upper * (1 - share) + lower * share)
    return even


def _curves(values: np.ndarray, rows: int, columns: int, clip_limit: float) -> np.ndarray:
    """The new brightness of each level in each tile, float (R, C, 256)."""
    height, width = values.shape
    curves = np.empty((rows, columns, LEVELS))
    for row in range(rows):
        lines = values[row * height // rows : (row + 1) * height // rows]
        for column in range(columns):
            tile = lines[:, column * width // columns : (column + 1) * width // columns]
            counts = np.bincount(tile.reshape(-1), minlength=LEVELS).astype(np.float64)
            limit = max(1.0, clip_limit * tile.size / LEVELS)
            kept = np.minimum(counts, limit)
            kept += (tile.size - kept.sum()) / LEVELS
            curves[row, column] = np.cumsum(kept) * ((LEVELS - 1) / tile.size)
    return np.clip(curves, 0, LEVELS - 1)


def _neighbours(size: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `size` places the tiles before and after it, and how near it is to the latter."""
    places = (np.arange(size) + 0.5) * (tiles / size) - 0.5
    places = np.clip(places, 0, tiles - 1)
    before = np.floor(places).astype(np.intp)
    return before, np.minimum(before + 1, tiles - 1), places - before
