"""Lines of a log out of events, steps and what was printed, each with its time."""

import re
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import isnan

from qvl_tui.widgets.log_lines import LogLine
from trainer.run.events import AnyEvent
from trainer.run.series import Table
from trainer.run.text import sanitise
from trainer.words.clock import clock, day_of
from trainer.words.lines import line_of
from trainer.words.numbers import count, significant

EVENT_CHARACTERS = 4_000
STEP_LINE_SECONDS = 30.0  # between two lines that only tell the step
STEP_LINES_OF_THE_PAST = 2_000
_STAMP = re.compile(r"\[supervisor (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\]")

TimedLine = tuple[float, LogLine]  # Unix seconds


def event_lines(events: Iterable[AnyEvent]) -> Iterator[TimedLine]:
    """Yield the lines of events; some have none."""
    for event in events:
        text = line_of(event)
        if text is not None:
            line = LogLine("event", sanitise(text, EVENT_CHARACTERS), clock(event.time))
            yield event.time, line


def step_lines(steps: Table, after: float) -> Iterator[TimedLine]:
    """Yield a line for a step at least every STEP_LINE_SECONDS, of those later than `after`."""
    times = steps["time"]
    if not times:
        return
    after = max(after, times[-1] - STEP_LINES_OF_THE_PAST * STEP_LINE_SECONDS)
    index = bisect_left(times, after + STEP_LINE_SECONDS)
    while index < len(times):
        yield times[index], LogLine("step", _step(steps, index), clock(times[index]))
        index = bisect_left(times, times[index] + STEP_LINE_SECONDS, index + 1)


def _step(steps: Table, index: int) -> str:
    def number(name: str) -> str:
        value = steps[name][index]
        return significant(None if isnan(value) else value)

    return (
        f"step {count(int(steps['step'][index]))}  loss {number('loss')}  "
        f"grad {number('gradient_norm')}  {number('seconds')} s"
    )


def printed_lines(lines: Sequence[str], modified: float) -> list[TimedLine]:
    """Return what was printed before anybody looked, at the latest time it can be from.

    That is the last write to the file, or the next line that the supervisor stamped.
    """
    timed: list[TimedLine] = []
    for text in reversed(lines):
        if stamp := _STAMP.match(text):
            modified = min(modified, _seconds(stamp[1]))
        timed.append((modified, LogLine("console", text)))
    return timed[::-1]


def _seconds(stamp: str) -> float:
    try:
        return time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return float("inf")


def with_days(timed: Iterable[TimedLine], day: str) -> tuple[list[LogLine], str]:
    """Return the lines, one that names the day before each new day, and the last day."""
    lines: list[LogLine] = []
    for seconds, line in timed:
        if line.clock and (its_day := day_of(seconds)) != day:
            day = its_day
            lines.append(LogLine("note", f"── {day} ──"))
        lines.append(line)
    return lines, day
