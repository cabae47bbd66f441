"""The form of a new run, driven by keys."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot

from qvl_tui.desk import Desk
from qvl_tui.draft import Draft
from qvl_tui.messages import OpenRun
from qvl_tui.saved import configurations_folder, save_configuration
from qvl_tui.screens.new_run import NewRunScreen
from qvl_tui.widgets.form.picker import Picker
from tests.qvl_tui.recorded import record_run
from trainer.config.load import dump_config, load_config
from trainer.run.layout import RunLayout
from trainer.run.liveness import run_status
from trainer.supervisor.python import python_environment

NAMED = {"/": "slash", "-": "minus", "_": "underscore", ".": "full_stop", " ": "space"}


class Stage(App[None]):
    """The form alone; keeps which run it opened."""

    def __init__(self, runs: Path, like: Path | None) -> None:
        super().__init__()
        self.form = NewRunScreen(Desk(runs), like)
        self.opened: list[RunLayout] = []

    def on_mount(self) -> None:
        self.push_screen(self.form)

    def on_open_run(self, message: OpenRun) -> None:
        self.opened.append(message.layout)


class Hands:
    """What a person does at the keyboard."""

    def __init__(self, app: Stage, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.form = app, pilot, app.form

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*(NAMED.get(it, it) for it in text))

    async def paste(self, text: str) -> None:
        focused = self.app.screen.focused
        assert focused is not None
        focused.post_message(Paste(text))
        await self.pilot.pause()

    async def fill(self, key: str, text: str) -> None:
        await self.form.form.go_to(key)
        await self.pilot.pause()
        await (self.paste(text) if len(text) > 12 else self.type(text))

    async def settle(self, seconds: float = 60.0) -> None:
        """Wait until what was typed is judged, and data and model are looked at."""
        for _ in range(int(seconds / 0.05)):
            await self.pilot.pause(0.05)
            if self.form.settled:
                return
        raise AssertionError("the form did not settle")

    async def judged(self) -> None:
        """Wait until what was typed is judged."""
        for _ in range(400):
            await self.pilot.pause(0.02)
            if self.form.shows(self.form.draft):
                return
        raise AssertionError("the form was not judged")

    def problem(self, key: str) -> str:
        """What stands below a field."""
        form = self.form.form
        field = next(it for it in form.fields if it.option.key == key)
        shown = field.query_one(".problem")
        return field.problem if shown.display else ""

    def notices(self) -> str:
        return "\n".join(str(it.message) for it in self.app._notifications)


Session = Callable[[Hands], Awaitable[None]]


def at_the_form(
    runs: Path, session: Session, *, like: Path | None = None, size: tuple[int, int] = (120, 40)
) -> Stage:
    async def run() -> Stage:
        app = Stage(runs, like)
        async with app.run_test(size=size) as pilot:
            hands = Hands(app, pilot)
            await hands.judged()
            await session(hands)
            await app.workers.wait_for_complete()
        return app

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("PYTHONPATH", python_environment()["PYTHONPATH"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def filled(tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Path:
    """A named configuration that could be started."""
    stated = {
        "extends": "balanced",
        "model": {"path": str(tiny_checkpoint), "device": "cpu", "quantization": "none"},
        "data": {"train": [str(shapes[0])], "workers": 0},
        "training": {"max_steps": 1},
        "checkpoint": {"final_zip": False},
    }
    return save_configuration("ready", yaml.safe_dump(stated))


def test_an_empty_form_says_what_is_missing_where(runs: Path):
    async def session(hands: Hands) -> None:
        assert "is missing" in hands.problem("model.path")
        assert any("✗ data.train" in line for line in hands.form.card.lines)
        await hands.press("f5")
        await hands.app.workers.wait_for_complete()
        assert "2 problems: model.path" in hands.notices()
        await hands.press("f8")
        current = hands.form.form.current
        assert current is not None
        assert current.option.key == "data.train"

    assert at_the_form(runs, session).opened == []
    assert not runs.exists()


def test_a_wrong_value_is_told_below_its_field_and_gone_when_mended(runs: Path):
    async def session(hands: Hands) -> None:
        await hands.fill("batch.size", "x")
        await hands.judged()
        assert "'x' is not allowed; give a whole number at least 1" in hands.problem("batch.size")
        assert hands.problem("batch.accumulation") == ""
        await hands.press("backspace", "3")
        await hands.judged()
        assert hands.problem("batch.size") == ""
        assert hands.form.verdict is not None
        assert hands.form.verdict.values["batch.size"] == 3
        assert "▌  size: 3" in hands.form.yaml.text.plain
        await hands.press("ctrl+r")
        await hands.judged()
        assert "   size: 1" in hands.form.yaml.text.plain

    at_the_form(runs, session)


def test_fast_typing_loses_nothing(runs: Path):
    async def session(hands: Hands) -> None:
        for part in ("/some/where", "/very-deep", "/model"):
            await hands.type(part)
            await asyncio.sleep(0.16)  # judged while the typing goes on
        await hands.judged()
        assert hands.form.draft.texts["model.path"] == "/some/where/very-deep/model"
        assert "no such folder" in hands.problem("model.path")

    at_the_form(runs, session)


def test_arrows_walk_through_all_groups_and_back_to_the_first(runs: Path):
    async def session(hands: Hands) -> None:
        form = hands.form.form
        seen = [form.group]
        for _ in range(14):
            await hands.press("pagedown")
            seen.append(form.group)
        assert len(set(seen)) == 15
        await hands.press("pagedown")
        assert form.group == "model"
        await hands.press("up")
        assert form.current is not None
        assert form.current.option.key == "seed"
        await hands.press("down")
        assert form.current.option.key == "model.path"

    at_the_form(runs, session)


def test_a_preset_goes_under_what_was_typed(runs: Path):
    async def session(hands: Hands) -> None:
        await hands.fill("batch.size", "2")
        await hands.press("f3")
        await hands.type("low-memory")
        await hands.press("enter")
        await hands.judged()
        verdict = hands.form.verdict
        assert verdict is not None
        assert (hands.form.draft.base, verdict.values["batch.size"]) == ("low-memory", 2)
        assert verdict.values["model.activation_checkpointing"] is True
        assert verdict.differs("model.activation_checkpointing")
        assert verdict.values["name"] == "low-memory"

    at_the_form(runs, session)


@pytest.mark.usefixtures("filled")
def test_a_named_configuration_is_saved_listed_and_loaded(runs: Path):
    async def session(hands: Hands) -> None:
        await hands.press("f3")
        await hands.type("ready")
        await hands.press("enter")
        await hands.settle()
        assert hands.form.verdict is not None
        assert hands.form.verdict.config is not None
        await hands.fill("optimizer.learning_rate", "3e-4")
        await hands.press("f2")
        await hands.press("ctrl+u")
        await hands.type("my runs")
        await hands.press("enter")
        await hands.pilot.pause()
        for _ in range(100):
            if (configurations_folder() / "my runs.yaml").exists():
                break
            await asyncio.sleep(0.02)
        await hands.press("f3")
        assert isinstance(hands.app.screen, Picker)
        assert "my runs" in hands.app.screen.rows[0].line.plain
        await hands.press("escape")

    at_the_form(runs, session)
    saved = load_config(configurations_folder() / "my runs.yaml")
    assert saved.optimizer.learning_rate == 3e-4
    assert saved.training.max_steps == 1


def test_a_name_that_is_taken_asks_before_it_is_written_over(runs: Path, filled: Path):
    before = filled.read_text()

    async def session(hands: Hands) -> None:
        await hands.press("f2")
        await hands.press("ctrl+u")
        await hands.type("ready")
        await hands.press("enter")
        await hands.pilot.pause()
        await hands.press("n")

    at_the_form(runs, session)
    assert filled.read_text() == before


def test_a_run_is_cloned_under_a_fresh_name(runs: Path, filled: Path):
    layout = RunLayout(runs / "shapes-lora")
    layout.root.mkdir(parents=True)
    layout.config.write_text(dump_config(load_config(filled, ["tune.rank=4"])))

    async def session(hands: Hands) -> None:
        await hands.settle()
        verdict = hands.form.verdict
        assert verdict is not None
        assert verdict.config is not None
        assert verdict.values["name"] == "shapes-lora-2"
        assert hands.form.draft.texts["tune.rank"] == "4"
        assert hands.form.draft.base == "balanced"

    at_the_form(runs, session, like=layout.config)


def test_a_broken_configuration_to_clone_is_told_and_the_form_is_empty(runs: Path, tmp_path: Path):
    broken = tmp_path / "config.yaml"
    broken.write_text("model: [\n")

    async def session(hands: Hands) -> None:
        assert "config.yaml" in hands.notices()
        assert hands.form.draft == Draft()

    at_the_form(runs, session, like=broken)


def test_files_are_chosen_with_the_picker(runs: Path, shapes: tuple[Path, Path]):
    async def session(hands: Hands) -> None:
        await hands.form.form.go_to("data.train")
        await hands.press("ctrl+o")
        await hands.paste(f"{shapes[0].parent}/tr")
        await hands.press("tab", "enter")
        await hands.judged()
        assert hands.form.draft.texts["data.train"] == str(shapes[0])
        assert hands.problem("data.train") == ""

    at_the_form(runs, session)


def test_preflight_looks_once_the_form_is_right(runs: Path, filled: Path, tiny_checkpoint: Path):
    overrides = (f"model.path={tiny_checkpoint}", "model.device=cpu")
    record_run(runs, "earlier", overrides=overrides, steps=30, end="finished")

    async def session(hands: Hands) -> None:
        await hands.settle()
        card = "\n".join(hands.form.card.lines)
        assert "✓ 48 records" in card
        assert "12 steps/epoch · 1 steps" in card
        assert "s/step in earlier" in card
        assert "✓ memory about" in card
        await hands.fill("data.max_length", "x")
        await hands.judged()
        assert any("✗ data.max_length" in line for line in hands.form.card.lines)

    at_the_form(runs, session, like=filled)


def test_at_80_columns_views_are_turned_and_typing_goes_on_where_it_was(runs: Path):
    async def session(hands: Hands) -> None:
        form = hands.form
        await hands.fill("batch.size", "2")
        assert not form.yaml.display or not form.query_one("#right").display
        await hands.press("f7")
        assert form.yaml.has_focus
        assert not form.card.display
        await hands.press("f7")
        assert form.card.has_focus
        await hands.press("f7")
        assert form.form.current is not None
        await hands.type("4")
        await hands.judged()
        assert form.draft.texts["batch.size"] == "24"

    at_the_form(runs, session, size=(80, 24))


def test_leaving_asks_only_when_something_was_typed(runs: Path):
    async def session(hands: Hands) -> None:
        await hands.fill("batch.size", "2")
        await hands.press("escape")
        await hands.pilot.pause()
        assert hands.app.screen is not hands.form
        await hands.press("n")
        assert hands.app.screen is hands.form
        await hands.press("ctrl+r", "escape")
        await hands.app.workers.wait_for_complete()
        await hands.pilot.pause()
        assert hands.app.screen is not hands.form

    at_the_form(runs, session)


def test_a_start_that_is_refused_loses_nothing(runs: Path, filled: Path):
    runs.write_text("")  # a file where the folder should be

    async def session(hands: Hands) -> None:
        before = hands.form.draft
        await hands.press("f5")
        await hands.app.workers.wait_for_complete()
        await hands.pilot.pause()
        assert "it is a file" in hands.notices()
        assert any("it is a file" in line for line in hands.form.card.lines)
        assert hands.form.draft is before

    assert at_the_form(runs, session, like=filled).opened == []


@pytest.mark.slow
def test_an_empty_form_is_filled_by_keys_until_the_run_runs(
    runs: Path, tiny_checkpoint: Path, shapes: tuple[Path, Path]
):
    async def session(hands: Hands) -> None:
        await hands.paste(str(tiny_checkpoint))
        await hands.fill("model.quantization", "n")  # from nf4 to none, by its first letter
        await hands.fill("model.device", "c")
        await hands.fill("data.train", str(shapes[0]))
        await hands.fill("data.workers", "0")
        await hands.fill("training.max_steps", "1")
        await hands.fill("name", "by-keys")
        await hands.settle()
        assert hands.form.verdict is not None
        assert hands.form.verdict.problems == {}
        await hands.press("ctrl+s")
        await hands.app.workers.wait_for_complete()
        await hands.pilot.pause()

    app = at_the_form(runs, session)
    assert app.opened == [RunLayout(runs / "by-keys")], app._notifications
    qvl("logs", "by-keys", "-f", runs=runs)  # until it ended
    assert run_status(app.opened[0]).state == "finished"
    config = load_config(app.opened[0].config)
    assert (config.training.max_steps, config.model.quantization) == (1, "none")


def qvl(*arguments: str, runs: Path) -> None:
    command = [sys.executable, "-m", "trainer.cli", *arguments, "--runs-dir", str(runs)]
    subprocess.run(command, env=python_environment(), capture_output=True, check=True, timeout=120)
