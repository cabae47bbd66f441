"""Tell moments in the time of the place."""

import time


def day_of(seconds: float) -> str:
    """Return the local date as `Thu 01 Jan 2026`; empty for Unix seconds that are no time."""
    return _local(seconds, "%a %d %b %Y")


def clock(seconds: float) -> str:
    """Return the local time of day as `21:04:11`; empty for Unix seconds that are no time."""
    return _local(seconds, "%H:%M:%S")


def minute_of(seconds: float) -> str:
    """Return the local time of day as `21:04`; empty for Unix seconds that are no time."""
    return _local(seconds, "%H:%M")


def _local(seconds: float, layout: str) -> str:
    try:
        return time.strftime(layout, time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return ""
