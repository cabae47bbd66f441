"""The list of runs: what it shows, how it is sorted and filtered."""

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

from qvl_tui.messages import OpenNewRun, OpenRun, SettingsChanged
from qvl_tui.settings import Settings
from tests.qvl_tui.recorded import Recipe, record_run, step_event
from tests.qvl_tui.screens.home import (
    NARROW,
    WIDE,
    Home,
    drive,
    filter_by,
    look,
    until,
)
from trainer.run.append import EventWriter


def test_each_run_is_a_line_live_ones_first_then_the_newest(runs: Path):
    async def script(app: Home, _pilot: Pilot[None]) -> None:
        live_names, ended = set(app.names()[:2]), app.names()[2:]
        assert live_names == {"shapes-lora", "starting-4b"}
        assert ended == ["failed-one", "finished-one", "stopped-one", "crashed-one"]

    drive(runs, script)


def test_a_line_tells_state_model_method_progress_and_numbers(runs: Path):
    async def script(app: Home, _pilot: Pilot[None]) -> None:
        line = app.line_of("● running")
        for word in ("⚠", "17 m", "shapes-lora", "2B-Instruct", "LoRA r16 NF4", "400/600", "67 %"):
            assert word in line
        assert "0.292  0.342    2.40" in line
        assert "█▇" in line
        assert "✓ finished" in app.line_of("finished-one")
        assert "1 d ago" in app.line_of("finished-one")
        assert "■ stopped" in app.line_of("stopped-one")
        assert "–" in app.line_of("stopped-one")

    drive(runs, script, WIDE)


def test_what_needs_somebody_says_why_and_what_to_do(runs: Path):
    async def script(app: Home, _pilot: Pilot[None]) -> None:
        failed = app.line_of("failed-one")
        assert "✗ failed" in failed
        assert "CUDA out of memory at" in failed
        assert failed.endswith("· r resume")
        assert app.line_of("crashed-one").endswith("out of memory · r resume")
        assert "loading the model 412/625 tensors" in app.line_of("starting-4b")

    for size in (NARROW, (120, 40), WIDE):
        drive(runs, script, size)


def test_the_title_counts_states_and_shows_the_load_of_the_gpus(runs: Path):
    async def script(app: Home, _pilot: Pilot[None]) -> None:
        title = app.picture()[0]
        for word in ("6 runs", "1 running", "1 starting", "1 failed", "1 crashed", "GPU0 88 %"):
            assert word in title

    drive(runs, script)


def test_columns_are_left_out_before_a_word_is_cut(runs: Path):
    kept: dict[int, list[str]] = {}

    async def script(app: Home, _pilot: Pilot[None]) -> None:
        width = app.size.width
        kept[width] = app.table.columns
        lines = app.picture()
        assert all(len(line) <= width for line in lines)
        heading = next(line for line in lines if "age ▲" in line).split()
        assert [word for word in heading if word != "▲"] == [
            {"speed": "s/step"}.get(key, key) for key in app.table.columns
        ]
        assert "shapes-lora" in app.line_of("● running")

    for width in (60, 80, 120, 200):
        drive(runs, script, (width, 30))
    assert kept[80] == ["state", "age", "name", "step", "done", "loss", "val", "speed"]
    assert len(kept[200]) == 12
    assert len(kept[60]) < len(kept[80]) < len(kept[120]) < len(kept[200])


def test_details_tell_more_of_the_chosen_run(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await look(app, pilot)
        below = "\n".join(app.picture()[-9:])
        for word in ("attempt 1", "power limit", "best validation 0.342 at 400", "2 checkpoints"):
            assert word in below
        assert "runs on" in below
        await pilot.press("down", "down")
        below = "\n".join(app.picture()[-9:])
        assert "lower data.max_length" in below

    drive(runs, script)


def test_the_cursor_stays_with_its_run_when_the_order_changes(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")
        assert app.chosen() == "failed-one"
        await pilot.press("O")
        assert app.names()[-1] != "failed-one"
        assert app.chosen() == "failed-one"
        await pilot.press("end")
        assert app.chosen() == app.names()[-1]
        await pilot.press("home")
        assert app.chosen() == app.names()[0]

    drive(runs, script)


def test_o_sorts_by_the_next_column_and_capital_o_reverses(runs: Path):
    settings = Settings()

    async def script(app: Home, pilot: Pilot[None]) -> None:
        for _ in range(20):
            await pilot.press("o")
            if settings.runs_sort == "name":
                break
        assert app.names() == sorted(app.names())
        assert "name ▲" in "\n".join(app.picture())
        await pilot.press("O")
        assert app.names() == sorted(app.names(), reverse=True)
        assert "name ▼" in "\n".join(app.picture())
        assert settings.runs_reverse
        assert any(isinstance(told, SettingsChanged) for told in app.told)

    drive(runs, script, settings=settings)


def test_an_order_of_another_version_is_that_by_age(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        assert app.names()[2:] == ["failed-one", "finished-one", "stopped-one", "crashed-one"]
        await pilot.press("o")
        assert app.desk.settings.runs_sort == "state"

    drive(runs, script, settings=Settings(runs_sort="trend"))


def test_a_click_on_a_heading_sorts_and_two_on_a_run_open_it(runs: Path):
    settings = Settings()

    async def script(app: Home, pilot: Pilot[None]) -> None:
        heading = next(y for y, line in enumerate(app.picture()) if "age ▲" in line)
        x = app.picture()[heading].index("name")
        await pilot.click(offset=(x, heading))
        assert settings.runs_sort == "name"
        await pilot.click(offset=(x, heading))
        assert settings.runs_reverse
        await pilot.click(offset=(x, heading + 2), times=2)
        opened = app.told[-1]
        assert isinstance(opened, OpenRun)
        assert opened.layout.name == app.names()[1]

    drive(runs, script, settings=settings)


def test_a_filter_works_while_it_is_typed_and_escape_takes_it_away(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"rank=8")
        assert app.names() == ["stopped-one"]
        assert "1 of 6 runs" in app.picture()[0]
        await pilot.press("enter")
        assert not isinstance(app.focused, Input)
        await pilot.press("escape")
        assert len(app.names()) == 6
        await filter_by(app, pilot, "state:failed,crashed")
        assert app.names() == ["failed-one", "crashed-one"]
        await pilot.press("escape")
        assert len(app.names()) == 6
        assert app.home.query_one(Input).value == ""

    drive(runs, script)


def test_a_filter_that_cannot_be_meant_hides_nothing_and_says_why(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await filter_by(app, pilot, "rank=8 ")
        assert app.names() == ["stopped-one"]
        await filter_by(app, pilot, "tune.rnk=8")
        assert len(app.names()) == 6
        complaint = app.home.query_one("#complaint", Static)
        assert complaint.display
        assert "the nearest is tune.rank" in str(complaint.content)
        await pilot.press("escape")
        assert not complaint.display
        await filter_by(app, pilot, "loss<")
        assert "wants a number" in str(complaint.content)
        await pilot.press(*"0.01")
        assert app.names() == []
        assert str(complaint.content) == "no run fits this filter; escape shows all"
        await pilot.press("escape")
        assert not complaint.display

    drive(runs, script)


def test_what_a_run_does_is_seen_within_two_seconds(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        with EventWriter(runs / "shapes-lora" / "events.jsonl", 1) as writer:
            writer.write(step_event(401, Recipe()))
        await until(pilot, lambda: "401/600" in app.line_of("● running"), 2.0)
        record_run(runs, "another", steps=3, end="finished", ended_ago_seconds=60)
        await until(pilot, lambda: "another" in app.names(), 2.0)

    drive(runs, script)


def test_nothing_is_drawn_while_nothing_happens(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await look(app, pilot)
        await pilot.pause(0.5)
        drawn = 0
        send = app._display

        def count(screen: object, renderable: object) -> None:
            nonlocal drawn
            drawn += renderable is not None
            send(screen, renderable)  # type: ignore[arg-type]

        app._display = count  # type: ignore[method-assign, assignment]
        await look(app, pilot)
        await look(app, pilot)
        assert drawn == 0

    drive(runs, script)


def test_an_empty_folder_says_what_to_do(tmp_path: Path):
    (tmp_path / "none [yet]").mkdir()

    async def script(app: Home, pilot: Pilot[None]) -> None:
        shown = " ".join(" ".join(app.picture()).split())  # a long path breaks the line
        assert "none [yet] holds no run yet" in shown
        assert "start a new run" in shown
        assert "qvl demo" in shown
        await pilot.press("enter", "e", "r", "x", "d", "N", "R", "space", "o", "O")
        assert "No run is chosen" in app.said()
        await pilot.press("n")
        assert isinstance(app.told[-1], OpenNewRun)

    drive(tmp_path / "none [yet]", script)


def test_a_folder_that_is_missing_or_no_folder_says_so(tmp_path: Path):
    async def missing(app: Home, pilot: Pilot[None]) -> None:
        assert "does not exist yet" in "\n".join(app.picture())
        record_run(tmp_path / "gone", "first", steps=3, end="finished", ended_ago_seconds=60)
        await look(app, pilot)
        assert app.names() == ["first"]

    async def no_folder(app: Home, _pilot: Pilot[None]) -> None:
        assert "✗ The runs folder" in "\n".join(app.picture())
        assert "is no folder" in "\n".join(app.picture())

    drive(tmp_path / "gone", missing)
    (tmp_path / "file").write_text("x")
    drive(tmp_path / "file", no_folder)


def test_a_folder_that_cannot_be_read_says_so(tmp_path: Path):
    async def script(app: Home, _pilot: Pilot[None]) -> None:
        assert "cannot be read: File name too long" in "\n".join(app.picture())

    drive(tmp_path / ("x" * 300), script)


def test_a_damaged_run_is_a_line_like_any_other(tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_bytes(b"\xff\xfe: [\n")
    (tmp_path / "odd" / "events.jsonl").mkdir(parents=True)
    (tmp_path / "odd" / "config.yaml").write_text("model: 3\ntune: [1]\n")

    async def script(app: Home, _pilot: Pilot[None]) -> None:
        assert set(app.names()) == {"broken", "odd"}
        assert "it was never started" in app.line_of("broken")
        assert "⚡ crashed" in app.line_of("odd")

    drive(tmp_path, script)
