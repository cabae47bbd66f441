"""Fault 30: clocks set back, years past 2038 and time zones leave order and durations right."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW, STEP_SECONDS
from tests.trainer.run.building import published
from tests.training import Training
from trainer.cli.status import overview, status_lines
from trainer.run.alerts import evaluate_rules
from trainer.run.codec import decode, encode
from trainer.run.events import GpuSample, Telemetry
from trainer.run.layout import RunLayout
from trainer.run.reader import RunReader
from trainer.run.rules import AlertMemory
from trainer.run.state import RunState

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
def test_fault_30_no_screen_tells_a_negative_time_or_another_order(kind: str, tmp_path: Path):
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


def test_fault_30_another_time_zone_changes_clocks_and_nothing_else(
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


@pytest.mark.parametrize("kind", ["set back during the run", "past 2038"])
def test_fault_30_a_real_run_keeps_its_order_and_its_durations(
    kind: str, trainings: Training, monkeypatch: pytest.MonkeyPatch
):
    real = time.time
    trained = trainings("checkpoint.every_steps=2", "training.max_steps=6")

    def told_time() -> float:
        if kind == "past 2038":
            return real() + YEAR_2150
        return real() - DAY_SECONDS * (trained.progress.step >= 3)

    monkeypatch.setattr(time, "time", told_time)
    assert trained.go() == "finished"
    layout = trained.setup.run.layout
    events = [decode(line) for line in layout.events.read_bytes().splitlines()]
    assert [it.seq for it in events] == list(range(len(events)))
    assert [it.elapsed for it in events] == sorted(it.elapsed for it in events)
    backwards = [after.time < before.time for before, after in pairwise(events)]
    assert sum(backwards) == (kind != "past 2038")

    reader = RunReader(layout)
    reader.apply(reader.read(complete=True))
    state = reader.state
    assert [int(it) for it in state.steps["step"]] == [1, 2, 3, 4, 5, 6]
    assert all(0 < it < 60 for it in state.steps["seconds"])
    assert [it.step for it in state.kept_checkpoints] == [4, 6]
    assert 0 < (state.mean_save_seconds or 0) < 60
    shown = "\n".join(status_lines(overview(layout)))
    assert not _negative_durations(shown)
    assert "6/6" in shown
    again = trainings("checkpoint.every_steps=2", "training.max_steps=8", attempt=2)
    assert again.progress.step == 6


def test_fault_30_an_alert_fires_again_after_a_minute_whatever_the_clock_was_set_to():
    state, memory = RunState(), AlertMemory()
    fired: list[str] = []
    for second in range(100):
        sample = GpuSample(index=0, uuid="u", name="n", lost=second in (0, 1, 70))
        wall_clock = NOW + second - DAY_SECONDS * (second > 1)
        state.apply(Telemetry(attempt=1, time=wall_clock, elapsed=second, gpus=(sample,)))
        fired += [it.rule for it in evaluate_rules(state, memory, second)]
    assert fired == ["gpu_lost", "gpu_lost"]


def test_fault_30_the_newest_save_is_the_one_of_the_highest_step():
    state = RunState()
    for step, clock, seconds in ((10, NOW, 40.0), (20, NOW - DAY_SECONDS, 2.0)):
        state.apply(published(step, time=clock, seconds=seconds))
    assert state.last_save_seconds == 2.0
