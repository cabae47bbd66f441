"""What the rules found, and the records that were left out."""

from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from qvl_tui.feed import Feed
from qvl_tui.messages import JumpToStep
from qvl_tui.widgets.alerts import Alerts
from qvl_tui.widgets.skipped import Skipped
from tests.qvl_tui.recorded import NOW, record_run
from tests.qvl_tui.widgets.pane_app import PaneApp, look
from trainer.run.codec import decode, encode
from trainer.run.events import Alert, RecordSkipped, Step
from trainer.run.layout import RunLayout


def add_alert(layout: RunLayout, step: int, message: str) -> None:
    event = Alert(
        rule="r", severity="bad", step=step, value=None, message=message, advice="lower it"
    )
    with layout.monitor.open("ab") as file:
        file.write(encode(replace(event, attempt=1, time=NOW, seq=step)))


def test_alerts_stand_newest_first_with_their_advice(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    add_alert(layout, 390, "the loss is [not] finite \x1b[31m")

    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "Alerts  2" in app.text
        newest, older = app.text.index("✗ step 390"), app.text.index("⚠ step 360")
        assert newest < older
        assert "the loss is [not] finite" in app.text
        assert app.text.index("lower it") < older
        assert "\x1b" not in app.text

    look(Alerts, Feed.of(layout), check)


def test_enter_asks_for_the_step_of_the_chosen_alert(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    add_alert(layout, 390, "bad")

    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        await pilot.press("tab", "down", "enter")
        assert [it.step for it in app.said if isinstance(it, JumpToStep)] == [360]

    look(Alerts, Feed.of(layout), check)


def test_a_long_message_is_wrapped_and_loses_no_word(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    add_alert(layout, 390, " ".join(f"word{number}" for number in range(40)))

    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert all(f"word{number}" in app.text for number in range(40))

    look(Alerts, Feed.of(layout), check, size=(44, 30))


def test_without_alerts_enter_does_nothing(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        assert "no rule found anything wrong" in app.text
        await pilot.press("tab", "enter")
        assert app.said == []

    look(Alerts, Feed.of(record_run(tmp_path, "run", end="finished")), check)


def test_skipped_records_say_where_they_are_and_why(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "1 record left a hole in the batch" in app.text
        assert "train.jsonl:230  train  step 17  byte 14,950,112" in app.text
        assert "image 1: truncated JPEG [0 bytes]; save it again" in app.text

    look(Skipped, Feed.of(record_run(tmp_path, "run")), check)


def test_more_skipped_records_than_are_kept_are_counted(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    with layout.events.open("ab") as file:
        for line in range(1_200):
            record = RecordSkipped(
                split="train", file="/data/a.jsonl", line=line, offset=0, reason="broken"
            )
            file.write(encode(replace(record, attempt=1, time=NOW, seq=10**6 + line)))

    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "1,201 records left a hole in the batch; the newest 1,000:" in app.text
        assert "a.jsonl:1,199" in app.text

    look(Skipped, Feed.of(layout), check)


def test_objects_that_augmentation_left_out_are_counted_beside_the_records(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    events = map(decode, layout.events.read_bytes().splitlines())
    step = next(it for it in events if isinstance(it, Step))
    with layout.events.open("ab") as file:
        for number, objects in ((900, 1_200), (901, 0), (902, 34)):
            further = {"objects_dropped": float(objects)}
            file.write(encode(replace(step, step=number, seq=10**6 + number, further=further)))

    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "1,234 objects left out by augmentation" in app.text
        assert "1 record left a hole in the batch" in app.text

    look(Skipped, Feed.of(layout), check)


def test_a_run_that_skipped_nothing_says_so(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "no record was skipped" in app.text

    look(Skipped, Feed.of(record_run(tmp_path, "run", end="starting")), check)
