"""Stopping a run: the question, and every rung of the ladder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from textual.pilot import Pilot

from qvl_tui.feed import Feed
from qvl_tui.screens.stop import StopScreen, ladder_lines, what_will_happen
from qvl_tui.widgets.sheet import Sheet
from tests.qvl_tui.recorded import NOW, live, record_run
from tests.qvl_tui.screens.run_app import RunApp, drive, drive_recorded, until
from trainer.run.codec import encode
from trainer.run.events import (
    CheckpointFailed,
    CheckpointPublished,
    CommandReceived,
    Exit,
    FinalWritten,
    MonitorEvent,
    Phase,
    StopRung,
    TrainerEvent,
)
from trainer.run.layout import RunLayout

STOPPED = NOW + 100  # Unix seconds; after all that is recorded
ASKED = StopRung(rung="asked", reason="a person asked for it", next_seconds=120.0)
SAVED = CheckpointPublished(
    step=401,
    path="checkpoints/step-00000401",
    bytes=43_200_000,
    seconds=0.62,
    reason="stop",
)
FINAL = FinalWritten(step=401, path="final", partial=True, bytes=43_900_000)


def tell(
    layout: RunLayout, events: Sequence[TrainerEvent] = (), monitor: Sequence[MonitorEvent] = ()
) -> None:
    """Write what trainer and supervisor say next."""
    for path, said in ((layout.events, events), (layout.monitor, monitor)):
        with path.open("ab") as file:
            for number, event in enumerate(said):
                file.write(encode(replace(event, attempt=1, time=STOPPED + 1, seq=10**6 + number)))


def said_to(layout: RunLayout) -> bytes:
    return layout.commands.read_bytes() if layout.commands.exists() else b""


def ladder(layout: RunLayout, *, held: bool = True) -> list[str]:
    if not held:
        return [it.plain for it in ladder_lines(Feed.of(layout), STOPPED, STOPPED + 3)]
    with live(layout):
        return [it.plain for it in ladder_lines(Feed.of(layout), STOPPED, STOPPED + 3)]


def test_the_question_says_what_will_happen_and_how_long_it_took_before(tmp_path: Path):
    feed = Feed.of(record_run(tmp_path, "run"))
    assert [it.plain for it in what_will_happen(feed.state)] == [
        "Stop this run?",
        "1  It finishes step 401 (steps take 2.40 s),",
        "2  writes a checkpoint (it took 0.610 s before),",
        "3  writes final/, marked partial, and exits.",
        "After 2 m 00 s it gets SIGTERM, 30 s later SIGKILL. It can be resumed with r.",
    ]


def test_the_times_of_the_ladder_are_those_of_the_configuration(tmp_path: Path):
    overrides = ("supervision.stop_timeout_seconds=600", "supervision.kill_timeout_seconds=60")
    feed = Feed.of(record_run(tmp_path, "run", overrides=overrides))
    said = what_will_happen(feed.state)[-1].plain
    assert said.startswith("After 10 m 00 s it gets SIGTERM, 1 m 00 s later SIGKILL.")


def test_before_the_supervisor_answers_the_ladder_waits_for_it(tmp_path: Path):
    assert ladder(record_run(tmp_path, "run"))[:2] == [
        "✓ asked to stop",
        "◐ waiting for the supervisor's answer",
    ]


def test_every_rung_appears_as_it_is_reached(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    tell(layout, monitor=[CommandReceived(id="1", command="stop", accepted=True), ASKED])
    known = ["✓ asked to stop", "✓ acknowledged by the supervisor"]
    due = "  next: SIGTERM in 1 m 58 s, SIGKILL 30 s after it"
    assert ladder(layout) == [*known, "◐ finishing step 401", due]
    tell(layout, [Phase(name="save", state="progress", done=3, total=9, unit="files")])
    assert ladder(layout) == [*known, "◐ saving  3/9 files", due]
    tell(layout, [Phase(name="save", state="finished"), SAVED])
    known.append("✓ checkpoint of step 401 written: 43 MB, 0.620 s")
    assert ladder(layout)[:3] == known
    tell(layout, [FINAL])
    known.append("✓ final/ written: 44 MB, marked partial")
    assert ladder(layout)[:4] == known
    tell(layout, monitor=[Exit(state="stopped", code=3, step=401)])
    assert ladder(layout, held=False) == [*known, "■ stopped at step 401"]


def test_force_and_a_failed_checkpoint_are_told(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    late = StopRung(rung="sigterm", reason="no end within [its] time", next_seconds=30.0)
    tell(layout, [CheckpointFailed(step=401, reason="no space left")], [ASKED, late])
    lines = ladder(layout)
    assert "✗ SIGTERM sent: no end within [its] time" in lines
    assert "✗ no checkpoint at step 401: no space left" in lines
    assert lines[-1] == "  next: SIGKILL in 28 s"


def test_a_refusal_says_why(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    refusal = CommandReceived(id="1", command="stop", accepted=False, reason="another attempt")
    tell(layout, monitor=[refusal])
    assert ladder(layout)[1] == "✗ refused: another attempt"


def test_a_run_that_vanishes_meanwhile_is_no_ladder_without_end(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    tell(layout, monitor=[ASKED])
    assert ladder(layout, held=False)[-1].startswith("✗ it was killed, or its machine was lost")


def test_yes_asks_the_run_and_the_screen_stays_until_it_is_gone(tmp_path: Path):
    layout = record_run(tmp_path, "run")

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("x")
        await until(pilot, lambda: "It finishes step 401" in app.text)
        await pilot.press("y")
        await until(pilot, lambda: said_to(layout).endswith(b"\n"))
        command = orjson.loads(said_to(layout))
        assert command["command"] == "stop"
        answer = CommandReceived(id=command["id"], command="stop", accepted=True)
        tell(layout, monitor=[answer, ASKED])
        await until(pilot, lambda: "✓ acknowledged by the supervisor" in app.text)
        tell(layout, [SAVED, FINAL], [Exit(state="stopped", code=3, step=401)])
        await until(pilot, lambda: "■ stopped at step 401" in app.text)
        assert isinstance(app.screen, StopScreen)
        assert "escape close" in app.text
        await until(pilot, lambda: any("acknowledged" in it for it in app.notices))
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.run_screen

    with live(layout):
        drive(layout, check)


def test_a_stop_that_goes_on_is_shown_at_once_and_closing_it_stops_nothing(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    tell(layout, monitor=[ASKED])

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        assert "◐ stopping" in app.text
        await pilot.press("x")
        await until(pilot, lambda: "◐ finishing step 401" in app.text)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.run_screen
        assert not layout.commands.exists()

    with live(layout):
        drive(layout, check)


@pytest.mark.parametrize("size", [(80, 24), (50, 16)])
def test_now_asks_again_and_says_what_may_be_lost(tmp_path: Path, size: tuple[int, int]):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("x")
        await until(pilot, lambda: "Stop this run?" in app.text)
        await pilot.press("N")
        await pilot.pause()
        words = " ".join(line.plain.strip() for line in app.screen.query_one(Sheet).lines)
        assert "SIGTERM at once, and SIGKILL 30 s later. 50 steps since step 400 may be" in words
        await pilot.press("escape")
        await pilot.pause()
        assert "Stop this run?" in app.text

    drive_recorded(tmp_path, "running", check, size=size, steps=450)


def test_a_run_that_ended_while_the_question_stood_is_not_asked(tmp_path: Path):
    layout = record_run(tmp_path, "run")

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("x")
        await until(pilot, lambda: "Stop this run?" in app.text)
        tell(layout, monitor=[Exit(state="finished", code=0, step=600)])
        await until(pilot, lambda: "It does not run: it is finished." in app.text)
        await pilot.press("y")
        await pilot.pause(0.2)
        assert not layout.commands.exists()

    with live(layout):
        drive(layout, check)
