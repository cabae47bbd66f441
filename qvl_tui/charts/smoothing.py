"""Smooth a noisy series, as TensorBoard and Weights & Biases do."""

from math import isqrt, log

import numpy as np

from qvl_tui.charts.data import Floats

LEVELS = (0.0, 0.6, 0.9, 0.97, 0.99)  # how much of the past each point keeps; 0 is off
FORGOTTEN = log(1e-17)  # a weight that changes no double


def next_level(level: float) -> float:
    """Return the level after `level`, and after the last one the first."""
    return next((higher for higher in LEVELS if higher > level), LEVELS[0])


def smooth(values: Floats, level: float) -> Floats:
    """Return the debiased exponential moving average of `values`.

    The average starts at the first value instead of being drawn to 0 (Adam's bias correction,
    Kingma and Ba 2014). Unknown values stay NaN and do not move the average.
    """
    if level <= 0:
        return values
    known = np.isfinite(values)
    if known.all():
        return _moving_average(values, level)
    averaged = _moving_average(values[known], level)
    smoothed = np.full_like(values, np.nan)
    smoothed[known] = averaged
    return smoothed


def _moving_average(values: Floats, level: float) -> Floats:
    """Return the average of finite values.

    s[n] = level * s[n-1] + (1 - level) * values[n] is computed for all blocks of about sqrt(N)
    values side by side, each as if nothing came before it; then what came before is added.
    """
    count = len(values)
    width = isqrt(count) + 1
    padded = np.zeros(width * width)
    np.multiply(values, 1 - level, out=padded[:count])
    # Each column is a block: one step of all blocks is one row.
    blocks = np.ascontiguousarray(padded.reshape(width, width).T)
    del padded  # a million steps take 8 MB each time
    for row in range(1, width):
        blocks[row] += level * blocks[row - 1]
    before = _carried(blocks[-1], level**width)
    decay = level ** np.arange(1, width + 1)
    blocks += decay[:, None] * before
    averaged = blocks.T.reshape(-1)[:count]
    early = averaged[: int(FORGOTTEN / log(level))]
    early /= -np.expm1(np.arange(1, len(early) + 1) * log(level))
    return averaged


def _carried(ends: Floats, decay: float) -> Floats:
    """Return what each block takes over from all blocks before it."""
    carried = np.empty_like(ends)
    carry = 0.0
    for block, end in enumerate(ends.tolist()):
        carried[block] = carry
        carry = carry * decay + end
    return carried
