"""What may happen to the screen in one example, and any of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from hypothesis import strategies as st

from tests.qvl_tui.fuzz.commands import Answer
from tests.qvl_tui.recorded_events import Recipe, step_event
from tests.trainer.run.strategies import any_event
from trainer.run.codec import encode

Place = Literal["runs", "run", "compare", "new", "help", "palette", "stop"]
File = Literal["events", "monitor", "telemetry", "console", "config", "about", "data", "owner"]
How = Literal["more", "anew", "half", "gone", "folder", "nowhere"]
Some = TypeVar("Some")

# Every key that something is bound to, but q and ctrl+q, which leave; and some to type.
KEYS = (
    *"1234567890!\"$%&/()=?+*~#'-_.:,;<>|[]{}@",
    *"abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ界é",
    *("f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "ctrl+o", "ctrl+p", "ctrl+r", "ctrl+s"),
    *("tab", "shift+tab", "left", "right", "up", "down", "shift+left", "shift+right", "home"),
    *("end", "pageup", "pagedown", "enter", "escape", "space", "backspace", "delete"),
    *("ctrl+a", "ctrl+c", "ctrl+k", "ctrl+u", "ctrl+x", "ctrl+v", "ctrl+home", "ctrl+end"),
)
COMMON_KEYS = ("enter", "escape", "tab", "down", "up", "left", "right", "space", "y", *"12345678f")


@dataclass(frozen=True)
class Write:
    """Something is done to a file of a run."""

    run: int
    file: File
    how: How
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Scene:
    """What happens in this order: a command's answer is set, a screen opened, the rest."""

    place: Place | None
    size: tuple[int, int] | None  # columns, rows
    writes: tuple[Write, ...]
    seconds: float  # that pass
    keys: tuple[str, ...]
    pasted: str | None
    answer: Answer


def any_line() -> st.SearchStrategy[bytes]:
    """Return a line of a file: an event, what looks like one, or garbage."""
    steps = st.builds(
        lambda step, loss, attempt: replace(
            step_event(step, Recipe()), loss=loss, attempt=attempt, time=1.7e9 + step
        ),
        st.integers(0, 500),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.integers(1, 3),
    )
    events = any_event().map(encode)
    return st.one_of(
        events,
        steps.map(encode),
        st.binary(max_size=60).map(lambda data: data + b"\n"),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace") + b"\n"),
        events.map(lambda line: line[:-7]),
    )


def rarely(strategy: st.SearchStrategy[Some], one_in: int) -> st.SearchStrategy[Some | None]:
    """Return a value once in a while, else None."""
    return st.integers(1, one_in).flatmap(lambda it: strategy if it == one_in else st.none())


def any_scene() -> st.SearchStrategy[Scene]:
    """Return any scene; most stay on the screen that there is: opening one takes longest."""
    writes = st.builds(
        Write,
        run=st.integers(0, 2),
        file=st.sampled_from(("events",) * 4 + ("monitor", "telemetry", "console") + _SMALL),
        how=st.sampled_from(("more",) * 9 + ("anew", "half", "gone", "folder", "nowhere")),
        lines=_few(any_line(), 3),
    )
    return st.builds(
        Scene,
        place=rarely(st.sampled_from(_PLACES), 8),
        size=rarely(st.tuples(st.integers(40, 200), st.integers(12, 60)), 8),
        writes=_few(writes, 2),
        seconds=st.sampled_from((0.03, 0.6, 0.6, 2.1)),
        keys=_few(st.one_of(st.sampled_from(COMMON_KEYS), st.sampled_from(KEYS)), 6, at_least=1),
        pasted=rarely(st.text(max_size=20), 12),
        answer=st.builds(Answer, st.sampled_from((0, 1, 2, 3)), st.text(max_size=20)),
    )


_PLACES: Sequence[Place] = ("runs", "run", "run", "compare", "new", "help", "palette", "stop")
_SMALL: tuple[File, ...] = ("config", "about", "data", "owner")


def _few(
    strategy: st.SearchStrategy[Some], most: int, *, at_least: int = 0
) -> st.SearchStrategy[tuple[Some, ...]]:
    return st.lists(strategy, min_size=at_least, max_size=most).map(tuple)
