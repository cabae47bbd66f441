"""What a cell of a chart is, so that the screen can give it a style."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from qvl_tui.charts.data import Curve, MarkKind
from qvl_tui.charts.glyphs import MARKERS

Roles = npt.NDArray[np.int16]


class Role(IntEnum):
    """What a cell is; the curves come after these, a role for each slot."""

    BLANK = 0
    TITLE = 1
    CHOSEN_TITLE = 2
    NOTE = 3  # quiet words: units, names of curves, what is left out
    VALUE = 4
    AXIS = 5
    LABEL = 6
    CURSOR = 7
    CURSOR_LABEL = 8
    CHECKPOINT = 10
    EVALUATION = 11
    RESUME = 12
    ALERT = 13
    NON_FINITE = 14
    CURVE = 100
    GHOST = 200


MARK_ROLES: dict[MarkKind, Role] = {
    "checkpoint": Role.CHECKPOINT,
    "evaluation": Role.EVALUATION,
    "resume": Role.RESUME,
    "alert": Role.ALERT,
    "non_finite": Role.NON_FINITE,
}


def curve_role(curve: Curve) -> int:
    """Return the role of a curve's cells."""
    base = Role.GHOST if curve.style == "ghost" else Role.CURVE
    return base + curve.slot % len(MARKERS)
