"""The configuration: what differs from the defaults, what was found, and the search."""

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from qvl_tui.feed import Feed
from qvl_tui.widgets.config import Config
from qvl_tui.widgets.config_page import found_paragraphs, option_paragraphs
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.widgets.pane_app import PaneApp, look


async def shown(pilot: Pilot[None], app: PaneApp) -> str:
    await app.workers.wait_for_complete()
    await pilot.pause()
    return app.text


def test_differences_from_the_defaults_come_first_with_the_default(tmp_path: Path):
    layout = record_run(tmp_path, "run", learning_rate=1e-4)
    changed, *rest = option_paragraphs(layout)
    assert changed.title == "Changed from the defaults (4)"
    found = {it.key: (it.value, it.remark) for it in changed.entries}
    assert found["optimizer.learning_rate"] == ("0.0001", "default 0.0002")
    assert found["data.train"] == ("[/data/train.jsonl]", "")
    everything = {it.key for paragraph in rest for it in paragraph.entries}
    assert {"seed", "tune.rank", "supervision.on_exit"} <= everything


def test_what_the_run_found_out_is_there(tmp_path: Path):
    paragraphs = {it.title: it for it in found_paragraphs(Feed.of(record_run(tmp_path, "r")).state)}
    language = paragraphs["What is trained"].entries[2]
    assert language.value == "lora: 17,432,576 of 1,720,574,976 parameters"
    assert language.remark == "300 frozen, 392 LoRA, 0 full tensors, 196 quantised"
    assert paragraphs["Plan"].entries[0].value == "600, 200 an epoch"
    data = paragraphs["Data files"].entries[0]
    assert (data.value, data.remark) == (
        "/data/train.jsonl",
        "800 records, 52 MB, sha256 000000000000",
    )
    assert [it.key for it in paragraphs["Machine and versions"].entries] == [
        "devices",
        "threads",
        "torch",
        "transformers",
    ]


def test_a_broken_configuration_says_what_is_wrong_and_shows_the_rest(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    layout.config.write_text("model: {path: [x\n")

    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        text = await shown(pilot, app)
        assert "The configuration cannot be read" in text
        assert "What is trained" in text

    look(Config, Feed.of(layout), check)


def test_a_search_keeps_the_lines_with_all_words_and_escape_shows_everything(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        assert "Changed from the defaults" in await shown(pilot, app)
        app.pane.query("Sheet").last().focus()
        await pilot.press("slash", *"rank")
        assert "tune.rank" in await shown(pilot, app)
        assert "data.train" not in app.text
        assert "Config  /rank" in app.text
        await pilot.press("enter")
        assert not isinstance(app.focused, Input)
        await pilot.press("escape")
        assert "data.train" in await shown(pilot, app)

    look(Config, Feed.of(record_run(tmp_path, "run")), check)


def test_a_search_for_what_is_not_there_says_how_to_go_back(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        await shown(pilot, app)
        app.pane.query("Sheet").last().focus()
        await pilot.press("slash", *"zzz")
        assert "nothing with these words; escape shows all" in await shown(pilot, app)

    look(Config, Feed.of(record_run(tmp_path, "run")), check)


def test_values_with_brackets_are_text_and_nothing_else(tmp_path: Path):
    layout = record_run(tmp_path, "run", overrides=("supervision.on_exit=echo [red]x[/blue]",))

    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        assert "echo [red]x[/blue]" in await shown(pilot, app)

    look(Config, Feed.of(layout), check)
