"""The screen of a run, in every state and by every key."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from qvl_tui.messages import OpenNewRun
from qvl_tui.screens.stop import StopScreen
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import End
from tests.qvl_tui.screens.run_app import RunApp, drive, drive_recorded, text_of, until
from trainer.run.about import About, write_about

PANES = ("charts", "system", "samples", "log", "checkpoints", "config", "alerts", "skipped")


def visible(app: RunApp) -> list[str]:
    return [name for name in PANES if app.run_screen.query_one(f"#pane-{name}").region.area]


def focused(app: RunApp) -> str:
    nodes = app.run_screen.focused.ancestors_with_self if app.run_screen.focused else ()
    return next((it.id for it in nodes if it.id in {f"pane-{name}" for name in PANES}), "")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("starting", ["◌ starting", "loading the model   412/625 tensors   66 %"]),
        ("running", ["● running", "400/600   67 %", "8 m 00 s left"]),
        ("stalled", ["… stalled", "no progress for 400 s", "x stop it"]),
        ("finished", ["✓ finished", "✓ result in final/"]),
        ("stopped", ["■ stopped", "r resume from the checkpoint of step 400"]),
        ("failed", ["✗ failed", "CUDA out of memory at train.jsonl:4117", "r resume from"]),
        ("crashed", ["⚡ crashed", "⚡ out of memory", "r resume from"]),
    ],
)
def test_one_glance_tells_state_progress_and_what_to_do(tmp_path: Path, end: End, words: list[str]):
    async def check(_pilot: Pilot[None], app: RunApp) -> None:
        head = "\n".join(app.text.split("\n")[:6])
        assert all(word in head for word in words)
        assert "Qwen3-VL-2B-Instruct · LoRA r16 · NF4" in head

    drive_recorded(tmp_path, end, check)


def test_a_wide_window_shows_charts_machine_samples_and_log_beside_each_other(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: RunApp) -> None:
        assert visible(app) == ["charts", "system", "samples", "log"]
        charts, log = (app.run_screen.query_one(f"#pane-{it}").region for it in ("charts", "log"))
        assert log.width == 120
        assert charts.width == 72
        assert "1 Charts" in app.text
        assert "2 System" in app.text

    drive_recorded(tmp_path, "running", check)


def test_a_narrow_window_shows_one_pane_and_the_names_of_all(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: RunApp) -> None:
        assert visible(app) == ["charts"]
        strip = app.text.split("\n")[3]
        told = "1 Charts 2 System 3 Samples 4 Log 5 Chec… 6 Config 7 Alerts ⚠1 8 Skipped (1)"
        assert strip.split() == told.split()

    drive_recorded(tmp_path, "running", check, size=(80, 24))


def test_tab_goes_through_all_panes_and_back(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        seen: list[str] = []
        for _ in PANES:
            await pilot.press("tab")
            seen.append(focused(app))
        assert seen == [f"pane-{it}" for it in (*PANES[1:], PANES[0])]
        await pilot.press("shift+tab")
        assert focused(app) == "pane-skipped"

    drive_recorded(tmp_path, "running", check)


def test_f_gives_a_pane_the_whole_body_and_back(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("4", "f")
        await pilot.pause()
        assert visible(app) == ["log"]
        assert app.run_screen.query_one("#pane-log").region.height > 30
        await pilot.press("f")
        await pilot.pause()
        assert visible(app) == ["charts", "system", "samples", "log"]

    drive_recorded(tmp_path, "running", check)


def test_a_window_that_shrinks_and_grows_is_arranged_anew(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("6")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert visible(app) == ["config"]
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert visible(app) == ["charts", "system", "log", "config"]

    drive_recorded(tmp_path, "running", check)


def test_a_tab_is_chosen_by_a_click_too(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        strip = app.run_screen.query_one("#tabs")
        row = app.text.split("\n")[strip.region.y]
        await pilot.click(offset=(row.index("6 Config") + 2, strip.region.y))
        await pilot.pause()
        assert "config" in visible(app)

    drive_recorded(tmp_path, "running", check)


def test_the_newest_alert_and_any_other_lead_to_their_step_in_the_charts(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert focused(app) == "pane-charts"
        assert "360" in text_of(app.run_screen).split("1 Charts")[1].split("\n")[1]
        await pilot.press("escape", "7", "enter")
        await pilot.pause()
        assert focused(app) == "pane-charts"

    drive_recorded(tmp_path, "running", check)


@pytest.mark.parametrize(
    ("end", "key", "words"),
    [
        ("finished", "x", "does not run, so it cannot be stopped: it is finished"),
        ("finished", "r", "is finished; e edits a copy"),
        ("crashed", "k", "is crashed; only a run that lives can checkpoint"),
        ("crashed", "v", "is crashed; only a run that lives can validate"),
        ("running", "r", "runs already: it is running"),
        ("finished", "exclamation_mark", "There is no alert."),
    ],
)
def test_a_key_that_makes_no_sense_says_why(tmp_path: Path, end: End, key: str, words: str):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert len(app.notices) == 1
        assert words in app.notices[0]
        assert app.screen is app.run_screen

    drive_recorded(tmp_path, end, check)


def test_validating_without_validation_data_says_so(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("v")
        await pilot.pause()
        assert app.notices == ["shapes-lora has no validation data."]

    drive_recorded(tmp_path, "running", check, evaluations=False)


def test_a_command_that_is_refused_says_so_in_its_own_words(tmp_path: Path):
    layout = record_run(tmp_path, "shapes-lora", end="crashed")

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        layout.config.write_text("model: [\n")
        await pilot.press("r")
        await until(pilot, lambda: bool(app.notices))
        assert "config.yaml" in app.notices[0]

    drive(layout, check)


def test_a_run_whose_supervisor_is_just_leaving_is_resumed_once_it_has_left(tmp_path: Path):
    layout = record_run(tmp_path, "shapes-lora", end="stopped")
    layout.config.write_text("model: [\n")
    leaving = ExitStack()
    leaving.enter_context(live(layout))

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        assert app.run_screen.feed
        assert app.run_screen.feed.status.held
        assert "r resume from the checkpoint of step 400" in app.text
        await pilot.press("r")
        await pilot.pause(0.5)
        assert not app.notices
        leaving.close()
        await until(pilot, lambda: bool(app.notices))
        assert "config.yaml" in app.notices[0]

    with leaving:
        drive(layout, check)


def test_x_asks_first_and_escape_lets_the_run_go_on(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("x")
        await pilot.pause()
        assert isinstance(app.screen, StopScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.run_screen
        assert not app.run_screen.layout_of_run.commands.exists()

    drive_recorded(tmp_path, "running", check)


def test_e_opens_the_form_filled_like_this_run_and_escape_goes_back(tmp_path: Path):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("e")
        await pilot.pause()
        message = app.said[0]
        assert isinstance(message, OpenNewRun)
        assert message.like == app.run_screen.layout_of_run.config
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not app.run_screen
        assert not app.desk.reader._open

    drive_recorded(tmp_path, "running", check)


def test_nothing_is_drawn_while_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        await pilot.press("5")
        await pilot.pause(2.5)
        drawn: list[object] = []
        for widget in app.run_screen.walk_children():
            monkeypatch.setattr(
                widget,
                "refresh",
                lambda *regions, it=widget, **_: drawn.append((it, regions)),
                raising=False,
            )
        await pilot.pause(2.5)
        assert drawn == []

    drive_recorded(tmp_path, "running", check)


def test_hidden_panes_and_a_screen_below_another_get_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        calls: list[str] = []
        for pane in app.run_screen._panes:
            note = partial(lambda name, _feed: calls.append(name), pane.id)
            monkeypatch.setattr(pane, "show", note)
        await pilot.pause(1.2)
        assert set(calls) <= {"pane-charts", "pane-system", "pane-samples", "pane-log"}
        assert "pane-system" in calls
        await pilot.press("x")
        await pilot.pause()
        calls.clear()
        await pilot.pause(1.2)
        assert calls == []
        await pilot.press("escape")
        await pilot.pause(0.6)
        assert "pane-charts" in calls

    drive_recorded(tmp_path, "running", check)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40), (200, 60)])
def test_each_number_shows_its_pane_inside_the_window_and_gives_it_the_keys(
    tmp_path: Path, size: tuple[int, int]
):
    async def check(pilot: Pilot[None], app: RunApp) -> None:
        for number, name in enumerate(PANES, 1):
            await pilot.press(str(number))
            await pilot.pause()
            assert name in visible(app)
            assert focused(app) == f"pane-{name}"
            assert f"{number} {name.capitalize()}" in app.text
            panes = [app.run_screen.query_one(f"#pane-{it}") for it in visible(app)]
            assert all(Region(0, 0, *size).contains_region(it.region) for it in panes)
            assert all(it.region.height >= 4 for it in panes)

    drive(record_run(tmp_path, "a" * 90, end="failed", gpus=4, steps=200), check, size)


def test_a_run_that_is_only_a_folder_is_shown_all_the_same(tmp_path: Path):
    layout = record_run(tmp_path, "empty")
    for file in (layout.events, layout.monitor, layout.telemetry, layout.console):
        file.unlink()

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        assert "⚡ crashed   empty" in app.text
        assert "it was never started" in app.text
        for number in range(1, 9):
            await pilot.press(str(number))
        await pilot.pause()

    drive(layout, check)


def test_the_name_a_person_gave_the_run_is_shown(tmp_path: Path):
    layout = record_run(tmp_path, "run", end="finished")
    write_about(layout, About(title="shapes [with] brackets"))

    async def check(_pilot: Pilot[None], app: RunApp) -> None:
        assert "✓ finished   shapes [with] brackets" in app.text

    drive(layout, check)


def test_what_the_run_writes_appears(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    text = layout.events.read_bytes().splitlines(keepends=True)
    layout.events.write_bytes(b"".join(text[:-40]))

    async def check(pilot: Pilot[None], app: RunApp) -> None:
        assert "400/600" not in app.text
        with layout.events.open("ab") as file:
            file.write(b"".join(text[-40:]))
        await until(pilot, lambda: "400/600" in app.text)

    with live(layout):
        drive(layout, check)
