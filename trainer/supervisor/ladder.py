"""The stop ladder: ask, then SIGTERM, then SIGKILL, each rung after its time."""

from typing import Literal

Rung = Literal["asked", "sigterm", "sigkill"]

_NEXT: dict[Rung | None, Rung] = {None: "asked", "asked": "sigterm", "sigterm": "sigkill"}


class StopLadder:
    """On which rung a stop is, and when the next one is due; monotonic seconds come from outside.

    Every method that may move returns the rung that was reached, or None.
    """

    def __init__(self, kill_timeout_seconds: float) -> None:
        self._kill_timeout_seconds = kill_timeout_seconds
        self._due = 0.0
        self.rung: Rung | None = None
        self.reason = ""

    def ask(self, now: float, reason: str, stop_timeout_seconds: float) -> Rung | None:
        """Begin a stop; nothing happens when one is under way."""
        if self.rung is not None:
            return None
        return self._climb(now, reason, stop_timeout_seconds)

    def hurry(self, now: float, reason: str) -> Rung | None:
        """Go to the next rung at once; from nothing, straight to SIGTERM."""
        if self.rung is None:
            self.rung = "asked"
        return self._climb(now, reason, self._kill_timeout_seconds)

    def advance(self, now: float) -> Rung | None:
        """Go to the next rung when it is due."""
        if self.rung is None or now < self._due:
            return None
        reason = f"no end within the time of the rung '{self.rung}' ({self.reason})"
        return self._climb(now, reason, self._kill_timeout_seconds)

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds until the next rung, None at the top or before the first."""
        return None if self.rung in (None, "sigkill") else max(0.0, self._due - now)

    def _climb(self, now: float, reason: str, seconds: float) -> Rung | None:
        if self.rung == "sigkill":
            return None
        self.rung = _NEXT[self.rung]
        self.reason = reason
        self._due = now + seconds
        return self.rung


def default_stop_timeout(step_seconds: float | None, save_seconds: float | None) -> float:
    """Return how long a stop may take before SIGTERM: a step and a save, three times over."""
    return max(120.0, 3 * (step_seconds or 0.0) + 3 * (save_seconds or 0.0))
