"""A clock set back, years past 2038 and other time zones leave order and durations right."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW, STEP_SECONDS
from trainer.run.codec import decode, encode
from trainer.run.layout import RunLayout

DAY_SECONDS = 86_400.0
SET_BACK_AT_STEP = 20
STEPS = 40
YEAR_2150 = 5_680_000_000.0 - NOW
Shift = Callable[[float], float]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return what changes the time zone."""

    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def shifted(runs: Path, shift: Shift) -> RunLayout:
    """Write a run whose times are others; how long its steps took stays."""
    layout = record_run(runs, "clock", steps=STEPS)
    for path in (layout.events, layout.monitor, layout.telemetry):
        events = [decode(line) for line in path.read_bytes().splitlines()]
        moved = (encode(replace(it, time=shift(it.time))) for it in events)
        path.write_bytes(b"".join(moved))
    return layout


def set_back(moment: float) -> float:
    """Return what a clock tells that is set back a day at a step."""
    began = NOW - STEPS * STEP_SECONDS
    return moment - (DAY_SECONDS if moment > began + SET_BACK_AT_STEP * STEP_SECONDS else 0)


SHIFTS: dict[str, tuple[Shift, float]] = {  # with the clock of the screen
    "set back during the run": (set_back, NOW - DAY_SECONDS),
    "set back before the screen is opened": (lambda it: it, NOW - DAY_SECONDS),
    "set back by years, to 1970": (lambda it: it, 60.0),
    "past 2038": (lambda it: it + YEAR_2150, NOW + YEAR_2150),
    "before 1970": (lambda it: it - NOW - DAY_SECONDS, 60.0),
}


@pytest.mark.parametrize("kind", SHIFTS)
def test_no_screen_tells_a_negative_time_or_another_order(kind: str, tmp_path: Path):
    shift, now = SHIFTS[kind]
    layout = shifted(tmp_path, shift)
    with live(layout), Player(Desk(tmp_path, now=lambda: now), size=(160, 48)) as player:
        player.wait(1)
        assert not _negative_durations(player.picture())
        player.post(OpenRun(layout))
        player.wait(1)
        for _ in range(4):
            player.press("a")
            player.wait(3)
            assert not _negative_durations(player.picture())
            assert re.search(r"[1-9]\d* [mhd] \d+ [smh] gone", player.picture())
        player.press("4", "f")
        player.wait(1)
        assert _steps_of_the_log(player.picture()) == sorted(_steps_of_the_log(player.picture()))
        assert str(STEPS) in player.picture()
        player.look()


def _negative_durations(picture: str) -> list[str]:
    return re.findall(r"[-−]\d+(?:\.\d+)? ?(?:s|m|h|d)\b", picture)


def _steps_of_the_log(picture: str) -> list[int]:
    return [int(found) for found in re.findall(r"\bstep (\d+)", picture)]


def test_another_time_zone_changes_clocks_and_nothing_else(
    tmp_path: Path, zone: Callable[[str], None]
):
    layout = record_run(tmp_path, "zones", steps=STEPS, end="finished")
    logs: dict[str, list[str]] = {}
    with Player(Desk(tmp_path, now=lambda: NOW), size=(160, 48)) as player:
        for name in ("UTC", "Pacific/Kiritimati", "America/St_Johns"):
            zone(name)
            player.post(OpenRun(layout))
            player.wait(3)
            player.press("4", "f")
            player.wait(1)
            logs[name] = re.findall(r"\d\d:\d\d:\d\d.*", player.picture())
            player.look()
    without = {tuple(re.sub(r"\d\d:\d\d:\d\d", "", it) for it in log) for log in logs.values()}
    assert len(without) == 1
    hours = {name: log[0][:5] for name, log in logs.items()}
    assert len(set(hours.values())) == 3
    assert os.environ["TZ"] == "America/St_Johns"
