"""One line of the doctor's report."""

from dataclasses import dataclass
from typing import Literal

GIB = 2**30


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to do about it."""

    name: str
    status: Literal["ok", "warning", "bad"]
    message: str
    remedy: str = ""
