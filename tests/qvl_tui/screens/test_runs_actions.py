"""What keys do with runs on the list."""

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun
from qvl_tui.screens.confirm import ConfirmScreen
from qvl_tui.screens.prompt import PromptScreen
from qvl_tui.screens.stop import StopScreen
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.screens.home import Home, drive, filter_by, look, until


def test_marks_are_kept_by_name_and_c_compares_them(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert "Mark two runs" in app.said()
        await pilot.press("down", "down", "space", "space")
        await look(app, pilot)
        assert "2 marked" in app.picture()[0]
        assert app.line_of("failed-one").startswith(" ◆")
        await pilot.press("o", "c")
        compared = app.told[-1]
        assert isinstance(compared, OpenCompare)
        assert {layout.name for layout in compared.layouts} == {"failed-one", "finished-one"}

    drive(runs, script)


def test_keys_open_a_run_a_new_one_and_a_copy(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down", "enter")
        opened = app.told[-1]
        assert isinstance(opened, OpenRun)
        assert opened.layout.root == runs / "failed-one"
        await pilot.press("n")
        fresh = app.told[-1]
        assert isinstance(fresh, OpenNewRun)
        assert fresh.like is None
        await pilot.press("e")
        copy = app.told[-1]
        assert isinstance(copy, OpenNewRun)
        assert copy.like == runs / "failed-one" / "config.yaml"

    drive(runs, script)


def test_x_asks_before_it_stops_a_live_run_and_says_why_it_cannot_stop_another(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("x")
        assert isinstance(app.screen, StopScreen)
        await pilot.press("escape")
        assert app.screen is app.home
        await pilot.press("end", "x")
        assert app.screen is app.home
        assert "crashed-one is crashed; there is nothing to stop" in app.said()

    drive(runs, script)


def test_keys_that_cannot_act_on_the_chosen_run_are_dimmed_and_say_why(runs: Path):
    def dimmed(app: Home) -> set[str]:
        bindings = app.home.active_bindings.values()
        return {it.binding.action for it in bindings if not it.enabled}

    async def script(app: Home, pilot: Pilot[None]) -> None:
        assert app.chosen() == "shapes-lora"
        assert dimmed(app) == {"compare", "resume", "delete"}
        await pilot.press("down", "down", "down")
        assert app.chosen() == "finished-one"
        assert dimmed(app) == {"compare", "resume", "stop"}
        await pilot.press("r")
        assert "finished-one is finished; e edits a copy" in app.said()
        await pilot.press("space", "space")
        await look(app, pilot)
        assert app.chosen() == "crashed-one"
        assert dimmed(app) == {"stop"}
        await filter_by(app, pilot, "name:nowhere")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.focused, Input))
        assert {"open", "note", "stop"} <= dimmed(app)
        await pilot.press("enter")
        assert "No run is chosen" in app.said()

    drive(runs, script)


def test_the_complaint_of_a_command_is_shown_as_it_is(runs: Path):
    (runs / "crashed-one" / "config.yaml").write_text("seed: [1\n")

    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        assert "already" in app.said()
        await pilot.press("end", "r")
        assert app.chosen() == "crashed-one"
        await until(pilot, lambda: "config.yaml" in app.said())

    drive(runs, script)


def test_d_asks_says_what_goes_and_moves_it_to_where_it_can_come_back_from(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("end", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        shown = "\n".join(app.picture())
        assert "Delete crashed-one?" in shown
        assert "crashed at step 80, 0 checkpoints" in shown
        await pilot.press("enter")
        assert app.screen is app.home
        assert (runs / "crashed-one").exists()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: "to bring it back" in app.said())
        await until(pilot, lambda: "crashed-one" not in app.names())
        assert len(list((runs / ".trash").glob("crashed-one-*"))) == 1
        assert len(app.names()) == 5

    drive(runs, script)


def test_all_marked_runs_are_deleted_but_none_that_lives(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("space", "end", "space", "up", "space", "d")
        await until(pilot, lambda: "shapes-lora still runs; stop it first" in app.said())
        assert app.screen is app.home
        await pilot.press("home", "space", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Delete 2 runs?" in "\n".join(app.picture())
        await pilot.press("y")
        await until(pilot, lambda: "2 runs are deleted" in app.said())
        await until(pilot, lambda: len(app.names()) == 4)
        assert "marked" not in app.picture()[0]

    drive(runs, script)


def test_capital_n_notes_and_capital_r_names_a_run(runs: Path):
    async def script(app: Home, pilot: Pilot[None]) -> None:
        await pilot.press("end", "N")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press(*"- [x", "enter")
        await until(pilot, lambda: "- [x" in "\n".join(app.picture()[-9:]))
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press(*"-best", "enter")
        await until(pilot, lambda: app.line_of("⚡ crashed").split()[5] == "-best")
        await filter_by(app, pilot, "note:[x name:crashed-one best")
        assert app.names() == ["crashed-one"]
        await pilot.press("escape", "N")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        assert app.screen.query_one(Input).value == "- [x"
        await pilot.press("x", "escape")
        await look(app, pilot)
        assert app.table.chosen
        assert app.table.chosen.note == "- [x"

    drive(runs, script)


def test_names_from_outside_do_no_harm(tmp_path: Path):
    names = ["[red]x", "[@click=app.quit]", "\x1b[31mesc", "中文的名字" * 9, "a\u202eb"]
    for number, name in enumerate(names):
        record = record_run(tmp_path / "a", f"plain-{number}", steps=3, end="failed")
        (tmp_path / "runs").mkdir(exist_ok=True)
        record.root.rename(tmp_path / "runs" / name)

    async def script(app: Home, pilot: Pilot[None]) -> None:
        shown = "\n".join(app.picture())
        for fit in ("[red]x", "[@click=app.quit]", "esc", "中文的名字", "a\\u202eb"):
            assert fit in shown
        assert "\x1b" not in shown
        for _ in names:
            await pilot.press("space")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "[@click=app.quit]: failed at step 3" in "\n".join(app.picture())
        await pilot.press("n", "N")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press("escape", "x")
        assert "there is nothing to stop" in app.said()

    drive(tmp_path / "runs", script)
