"""Judge whether a run has stopped moving: silence for longer than its phase may take."""

from trainer.run.events import PhaseName

# A phase without an entry is a step of training. Each is the longest silence between two events,
# not the length of the phase.
SILENCE_SECONDS: dict[PhaseName | None, float] = {
    None: 900.0,  # from the process start to its first event: imports from a cold disk
    "download": 900.0,
    "index": 600.0,
    "load": 1800.0,
    "vision_cache": 1800.0,
    "evaluate": 1800.0,
    "save": 1800.0,
    "final": 1800.0,
}


def silence_limit(
    phase: PhaseName | None,
    asked_seconds: float | None,
    step_seconds: float | None,
    save_seconds: float | None,
) -> float:
    """Return after how many seconds without an event a run counts as stalled.

    `asked_seconds` is the setting; `step_seconds` the median step, `save_seconds` the last save.
    """
    own = SILENCE_SECONDS.get(phase, 0.0)
    if asked_seconds is not None:
        return max(asked_seconds, own)
    return max(300.0, own, 10 * (step_seconds or 0.0), 3 * (save_seconds or 0.0))


class StallWatch:
    """How long the trainer has been silent, and whether that is too long."""

    def __init__(self, now: float) -> None:
        self._last_sign = now
        self.stalled = False

    def sign_of_life(self, now: float) -> None:
        """Note that an event came."""
        self._last_sign = now

    def silent_seconds(self, now: float) -> float:
        """Return the time since the last sign of life."""
        return now - self._last_sign

    def changed(self, now: float, limit_seconds: float) -> bool:
        """Judge; return whether the judgement changed."""
        before = self.stalled
        self.stalled = self.silent_seconds(now) > limit_seconds
        return self.stalled != before
