"""The form of a new run, filled by keys until the run starts."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.screens.new_run.hands import Hands, at_the_form
from trainer.config.load import load_config
from trainer.run.layout import RunLayout
from trainer.run.liveness import run_status
from trainer.supervisor.python import python_environment


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
