"""No stream of events, no garbage and no order of keys brings the screen down.

QVL_FUZZ_EXAMPLES sets how many examples each of the four parts tries; 12,500 make the long run.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from qvl_tui.messages import OpenRun
from qvl_tui.screens.run import RunScreen
from tests.qvl_tui.recorded import Recipe, live, record_run, step_event
from tests.qvl_tui.stage import Stage
from tests.trainer.run.strategies import any_event
from trainer.run.codec import encode
from trainer.run.layout import RunLayout

EXAMPLES = int(os.environ.get("QVL_FUZZ_EXAMPLES", "60"))
EXAMPLES_PER_APP = 100
SIZES = ((120, 40), (80, 24), (60, 20), (40, 12))

# All keys of the run screen but those that leave it or start another program.
KEYS = (
    *"12345678!fsyagw/lc0<>+-[]ENhj?",
    *("tab", "shift+tab", "left", "right", "up", "down", "shift+left", "shift+right", "home"),
    *("end", "pageup", "pagedown", "enter", "escape", "space", "backspace", "ctrl+p"),
)
PLAIN_STEPS = st.builds(
    lambda step, loss, attempt: replace(
        step_event(step, Recipe()), loss=loss, attempt=attempt, time=1.7e9 + step
    ),
    st.integers(0, 500),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, 3),
)
LINES = st.one_of(
    any_event().map(encode),
    PLAIN_STEPS.map(encode),
    st.binary(max_size=60).map(lambda data: data + b"\n"),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace") + b"\n"),
    any_event().map(lambda event: encode(event)[:-7]),
)
FILES = st.tuples(*[st.lists(LINES, max_size=12) for _ in range(4)])


def write(layout: RunLayout, contents: Sequence[Sequence[bytes]], *, anew: bool) -> None:
    """Put lines into the four files of a run, behind what is there or in place of it."""
    paths = (layout.events, layout.monitor, layout.telemetry, layout.console)
    for path, lines in zip(paths, contents, strict=True):
        if anew:
            path.unlink(missing_ok=True)
        with path.open("ab") as file:
            file.writelines(lines)


async def look(pilot: Pilot[Any]) -> None:
    """Let the run screen read and draw, as its timers do."""
    screen = run_screen(pilot)
    if screen is None or screen.feed is None:
        return
    feed = screen.feed
    for _ in range(3):
        feed.take(feed.bite())
    feed.judge()
    if screen.is_current:
        screen._show_all()
    await pilot.pause()


def run_screen(pilot: Pilot[Any]) -> RunScreen | None:
    """Return the run screen, where keys have not closed it."""
    return next((it for it in pilot.app.screen_stack if isinstance(it, RunScreen)), None)


async def back_to_the_run(pilot: Pilot[Any], layout: RunLayout) -> None:
    """Close what was opened on top of the run screen, or open it again."""
    if run_screen(pilot) is None:
        pilot.app.post_message(OpenRun(layout))
        await pilot.pause()
    while pilot.app.screen is not run_screen(pilot):
        pilot.app.pop_screen()
        await pilot.pause()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_events_and_no_keys_bring_the_screen_down(part: int, tmp_path: Path):
    layout = record_run(tmp_path, "fuzzed", steps=30)
    stages: list[Stage] = []
    played = 0

    def stage() -> Stage:
        nonlocal played
        if played % EXAMPLES_PER_APP == 0:
            while stages:
                stages.pop().close()
            stages.append(Stage(tmp_path, first=layout, size=SIZES[part]))
        played += 1
        return stages[0]

    @seed(part)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(first=FILES, second=FILES, keys=st.lists(st.sampled_from(KEYS), max_size=8))
    def play(first: Any, second: Any, keys: list[str]) -> None:
        async def job(pilot: Pilot[Any]) -> None:
            write(layout, first, anew=True)
            await look(pilot)
            await pilot.press(*keys)
            write(layout, second, anew=False)
            await look(pilot)
            await back_to_the_run(pilot, layout)

        stage().play(job)

    with live(layout):
        try:
            play()
        finally:
            for one in stages:
                one.close()
    assert played >= EXAMPLES
