"""The parts of the form by themselves: choices, paths, GPUs, the YAML view."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen

from qvl_tui.draft import Draft, judge
from qvl_tui.widgets.form.choice import Choice
from qvl_tui.widgets.form.entries import completion, entries_of, split_typed
from qvl_tui.widgets.form.gpu_picker import GpuPicker, gpu_line
from qvl_tui.widgets.form.gpu_use import holders
from qvl_tui.widgets.form.path_picker import PathPicker, Wanted
from qvl_tui.widgets.form.yaml_view import YamlView
from tests.qvl_tui.recorded import live, record_run
from trainer.run.events import GpuSample


class Stage(App[None]):
    """Shows one modal screen and keeps what it returns."""

    def __init__(self, screen: ModalScreen[Any]) -> None:
        super().__init__()
        self.shown = screen
        self.result: Any = "nothing yet"

    def on_mount(self) -> None:
        self.push_screen(self.shown, self._keep)

    def _keep(self, result: Any) -> None:
        self.result = result


def driven(screen: ModalScreen[Any], *keys: str, size: tuple[int, int] = (100, 30)) -> Stage:
    """Press keys and return the app as it is then."""

    async def run() -> Stage:
        app = Stage(screen)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await app.workers.wait_for_complete()
                await pilot.pause()
        return app

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "a[red]b").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    for name in ("train.jsonl", "train-2.jsonl", "val[x].jsonl", "\x1b[31mred.jsonl", ".hidden"):
        (tmp_path / name).write_text("x" * 1_500)
    (tmp_path / "data" / "deep.jsonl").write_text("x")
    return tmp_path


def lines(picker: PathPicker) -> list[str]:
    return [row.line.plain for row in picker.rows]


# --- paths ------------------------------------------------------------------------------------


def test_folders_come_first_with_sizes_and_without_hidden_files(folder: Path):
    picker = PathPicker("Data", Wanted.DATA, folder)
    driven(picker)
    names = [line.split()[0] for line in lines(picker)]
    assert names[:4] == ["../", "a[red]b/", "data/", "model/"]
    assert not any(".hidden" in line for line in lines(picker))
    assert any("train.jsonl" in line and "1.5 kB" in line for line in lines(picker))
    assert any("checkpoint" in line for line in lines(picker))
    assert not any("\x1b" in line for line in lines(picker))


def test_hidden_files_show_on_demand(folder: Path):
    picker = PathPicker("Data", Wanted.DATA, folder)
    driven(picker, "f8")
    assert any(".hidden" in line for line in lines(picker))


def test_typing_filters_and_enter_takes_the_file(folder: Path):
    app = driven(PathPicker("Data", Wanted.DATA, folder), *"val", "enter")
    assert app.result == [str(folder / "val[x].jsonl")]


def test_several_files_are_marked(folder: Path):
    app = driven(PathPicker("Data", Wanted.DATA, folder), *"train", "ctrl+t", "ctrl+t", "enter")
    assert sorted(app.result) == [str(folder / "train-2.jsonl"), str(folder / "train.jsonl")]


def test_a_mark_can_be_taken_back(folder: Path):
    keys = ("ctrl+t", "up", "ctrl+t", "down", "enter")
    app = driven(PathPicker("Data", Wanted.DATA, folder), *"train", *keys)
    assert len(app.result) == 1


def test_enter_opens_a_folder_and_ctrl_up_leaves_it(folder: Path):
    app = driven(PathPicker("Data", Wanted.DATA, folder), *"data", "enter", "down", "enter")
    assert app.result == [str(folder / "data" / "deep.jsonl")]
    picker = PathPicker("Data", Wanted.DATA, folder / "data")
    driven(picker, "ctrl+up")
    assert picker.folder == folder


def test_a_path_is_typed_and_completed(folder: Path):
    picker = PathPicker("Data", Wanted.DATA, Path("/"))
    typed = f"{folder}/da"
    app = driven(picker, *_keys(typed), "tab", *"de", "tab", "enter")
    assert app.result == [str(folder / "data" / "deep.jsonl")]


def _keys(text: str) -> list[str]:
    names = {"/": "slash", "-": "minus", "_": "underscore", ".": "full_stop"}
    return [names.get(character, character) for character in text]


def test_escape_changes_nothing(folder: Path):
    assert driven(PathPicker("Data", Wanted.DATA, folder), "down", "escape").result is None


def test_a_checkpoint_is_taken_and_other_folders_are_opened(folder: Path):
    assert driven(PathPicker("Model", Wanted.MODEL, folder), *"mod", "enter").result == [
        str(folder / "model")
    ]
    picker = PathPicker("Model", Wanted.MODEL, folder)
    app = driven(picker, *"data", "enter")
    assert (app.result, picker.folder) == ("nothing yet", folder / "data")


def test_known_models_are_offered_with_their_memory(folder: Path):
    picker = PathPicker("Model", Wanted.MODEL, folder)
    app = driven(picker, *"4b", "down", "enter")
    assert app.result == ["Qwen/Qwen3-VL-4B-Thinking"]
    assert "GB QLoRA" in lines(picker)[0]


def test_a_folder_that_cannot_be_read_says_why(folder: Path):
    picker = PathPicker("Data", Wanted.DATA, folder / "gone")
    driven(picker, "enter")
    assert "No such file" in lines(picker)[0]


def test_a_folder_of_many_files_shows_the_first_ones(tmp_path: Path):
    for number in range(700):
        (tmp_path / f"{number:04}.jsonl").touch()
    picker = PathPicker("Data", Wanted.DATA, tmp_path)
    driven(picker)
    assert len(picker.rows) == 500


def test_names_are_completed_as_far_as_they_are_clear(folder: Path):
    entries = entries_of(folder, hidden=False)
    assert completion("tr", entries) == "train"
    assert completion("train-", entries) == "train-2.jsonl"
    assert completion("da", entries) == "data/"
    assert completion("zzz", entries) == "zzz"
    assert split_typed("a/b", Path("/x")) == (Path("/x/a"), "b")
    assert split_typed("/a/b/", Path("/x")) == (Path("/a/b"), "")
    assert split_typed("~", Path("/x")) == (Path("/x"), "~")
    assert split_typed("~/", Path("/x"))[0] == Path.home()


# --- choices ----------------------------------------------------------------------------------


class ChoiceStage(App[None]):
    def __init__(self, choices: tuple[str, ...]) -> None:
        super().__init__()
        self.choice = Choice(choices)
        self.turned: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.choice

    def on_choice_turned(self, event: Choice.Turned) -> None:
        self.turned.append(event.choice.chosen)


def test_a_choice_is_turned_by_arrows_letters_and_taken_back():
    async def run() -> tuple[list[str], str]:
        app = ChoiceStage(("none", "nf4", "int8"))
        async with app.run_test(size=(60, 5)) as pilot:
            app.choice.inherited = "nf4"
            app.choice.focus()
            await pilot.press("right", "right", "left", "n", "n", "i", "backspace")
            return app.turned, app.choice.render().plain

    turned, line = asyncio.run(run())
    assert turned == ["int8", "none", "int8", "none", "nf4", "int8", ""]
    assert line == "○ none  ● nf4  ○ int8"


def test_a_choice_that_is_too_wide_shows_one_value_and_its_place():
    async def run() -> str:
        app = ChoiceStage(("adamw", "adamw_8bit", "paged_adamw_8bit"))
        async with app.run_test(size=(26, 5)):
            app.choice.inherited = "adamw_8bit"
            return app.choice.render().plain

    assert asyncio.run(run()) == "‹ adamw_8bit ›  2 of 3"


# --- GPUs -------------------------------------------------------------------------------------


def test_without_a_gpu_the_list_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    picker = GpuPicker(tmp_path)
    app = driven(picker, "enter")
    assert "the CPU: a GPU is not available" in picker.rows[0].line.plain
    assert app.result == ""


def test_a_gpu_tells_whether_it_is_free_and_who_holds_it():
    free = GpuSample(
        index=1,
        uuid="GPU-1",
        name="NVIDIA GeForce RTX 3060",
        utilization=0.0,
        memory_used_bytes=200_000_000,
        memory_total_bytes=12_000_000_000,
    )
    line = gpu_line(free, "").plain
    assert "GPU1 RTX 3060" in line
    assert "○ free" in line
    assert "200 MB of  12 GB" in line
    assert len(line) <= 64, "it is cut in a window of 80 columns"
    busy = GpuSample(
        index=0, uuid="GPU-0", name="[red]\x1b[31m", memory_used_bytes=9, memory_total_bytes=10
    )
    line = gpu_line(busy, "shapes-lora").plain
    assert "● in use" in line
    assert line.endswith("load    –  by shapes-lora")
    assert "\x1b" not in line


def test_a_gpu_is_held_by_the_run_whose_telemetry_names_it(tmp_path: Path):
    running = record_run(tmp_path, "running", end="running")
    record_run(tmp_path, "over", end="finished")
    with live(running):
        assert holders(tmp_path) == {"GPU-0": "running"}
    assert holders(tmp_path) == {}


# --- YAML -------------------------------------------------------------------------------------


class YamlStage(App[None]):
    def compose(self) -> ComposeResult:
        yield YamlView()


def test_the_yaml_marks_what_differs_and_what_is_wrong(tmp_path: Path):
    draft = Draft("fast").with_text("batch.size", "0").with_text("model.path", "a/[b]")

    async def run() -> str:
        app = YamlStage()
        async with app.run_test(size=(60, 20)) as pilot:
            view = app.query_one(YamlView)
            view.show(draft.texts, judge(draft, tmp_path))
            view.follow("batch.size")
            await pilot.pause()
            assert view.scroll_y > 0
            return view.text.plain

    shown = asyncio.run(run()).splitlines()
    assert "✗  size: 0" in shown
    assert "▌  accumulation: 2" in shown
    assert "   max_steps: null" in shown
    assert any("a/[b]" in line for line in shown)
