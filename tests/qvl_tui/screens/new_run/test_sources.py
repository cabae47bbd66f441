"""What the form begins with: presets, named configurations, other runs, files from the picker."""

import asyncio
from pathlib import Path

import pytest

from qvl_tui.draft import Draft
from qvl_tui.saved import configurations_folder
from qvl_tui.widgets.form.picker import Picker
from tests.qvl_tui.screens.new_run.hands import Hands, at_the_form
from trainer.config.load import dump_config, load_config
from trainer.run.layout import RunLayout


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
        assert verdict.values["model.activation_checkpointing"] == "all"
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
