"""What a chart shows, and which part of it is looked at."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
XAxis = Literal["step", "epoch", "samples", "target_tokens", "elapsed", "clock"]
CurveStyle = Literal["line", "ghost", "points", "steps"]
MarkKind = Literal["checkpoint", "evaluation", "resume", "alert", "non_finite"]


@dataclass(frozen=True, eq=False)
class Curve:
    """One series: `x` and `y` of equal length, `x` ascending, NaN in `y` where it is unknown."""

    label: str
    x: Floats
    y: Floats
    style: CurveStyle = "line"  # ghost: raw values behind a smoothed line
    slot: int = 0  # which colour and marker of the palette


@dataclass(frozen=True)
class Mark:
    """Something that happened at one place of the x-axis."""

    x: float
    kind: MarkKind
    label: str = ""


@dataclass(frozen=True, eq=False)
class ChartData:
    """All that one chart shows."""

    key: str  # stable name, such as `loss`
    title: str
    unit: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    y_range: tuple[float, float] | None = None  # fixed bounds, such as 0 to 1 for a share
    x_range: tuple[float, float] | None = None  # of the whole run; None: of these curves


@dataclass(frozen=True)
class View:
    """Which part of the x-axis is seen, and how; shared by all charts of a grid.

    None for `x_min` is the beginning of the run; None for `x_max` follows its live end.
    """

    x_axis: XAxis = "step"
    x_min: float | None = None
    x_max: float | None = None
    cursor: float | None = None
    log_y: bool = False

    @property
    def follows(self) -> bool:
        """Whether the live end stays in sight."""
        return self.x_max is None

    def whole(self) -> Self:
        """Return the view of the whole run."""
        return replace(self, x_min=None, x_max=None)
