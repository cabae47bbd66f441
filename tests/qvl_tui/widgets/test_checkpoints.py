"""Checkpoints, whether their files are whole, and the line that brings the result home."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qvl_tui.feed import Feed
from qvl_tui.widgets.checkpoints import Checkpoints, shown_checkpoints
from tests.qvl_tui.recorded import NOW, record_run
from tests.qvl_tui.widgets.pane_app import PaneApp, look
from trainer.run.codec import encode
from trainer.run.events import CheckpointRejected
from trainer.run.layout import RunLayout
from trainer.run.manifest import Manifest, hash_files
from trainer.run.state import Checkpoint, RunState


def with_real_files(layout: RunLayout, step: int) -> Path:
    """Put a checkpoint with files and their manifest where the run says one is."""
    folder = layout.checkpoint(step)
    weights = folder / "adapter" / "adapter_model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(bytes(10_000))
    manifest = Manifest(
        step=step,
        attempt=1,
        data_sha256="",
        versions={},
        files=hash_files(folder),
    )
    (folder / "manifest.json").write_bytes(manifest.encode())
    return weights


def row_of(app: PaneApp, step: str) -> str:
    return next(line for line in app.text.split("\n") if f" {step} " in line)


async def until(pilot: Pilot[None], there: Callable[[], bool]) -> None:
    for _ in range(200):
        if there():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come")


def test_the_best_the_pruned_and_their_numbers_are_told(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "Checkpoints  2" in app.text
        best = row_of(app, "400")
        assert best.split()[1:5] == ["★", "400", "43", "MB"]
        assert "schedule      0.342  not yet" in best
        assert "pruned" in row_of(app, "200")
        assert "★" not in row_of(app, "300")

    look(Checkpoints, Feed.of(record_run(tmp_path, "run")), check)


def test_a_narrow_pane_drops_columns_and_cuts_no_word(tmp_path: Path):
    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "saved in" not in app.text
        assert "…" not in app.text
        assert "val. loss  verified" in app.text

    look(Checkpoints, Feed.of(record_run(tmp_path, "run")), check, size=(44, 20))


def test_a_whole_checkpoint_is_verified_and_a_damaged_one_says_what_is_wrong(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    with_real_files(layout, 400)
    damaged = with_real_files(layout, 300)
    damaged.write_bytes(bytes(9_999))

    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "✓ whole" in row_of(app, "400"))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "✗ damaged" in row_of(app, "300"))
        assert "adapter/adapter_model.safetensors has 9999 bytes, not 10000" in app.text

    look(Checkpoints, Feed.of(layout), check, size=(110, 20))


def test_a_pruned_checkpoint_is_not_verified_but_said_to_be_gone(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        await pilot.press("tab", "end", "enter")
        assert app.notices == ["The checkpoint of step 100 is pruned: not there."]

    look(Checkpoints, Feed.of(record_run(tmp_path, "run")), check)


def test_a_rejected_checkpoint_carries_its_reason(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    event = CheckpointRejected(step=400, path="checkpoints/rejected-4", reason="bad [hash]")
    with layout.events.open("ab") as file:
        file.write(encode(replace(event, attempt=1, time=NOW, seq=10**6)))

    async def check(_pilot: Pilot[None], app: PaneApp) -> None:
        assert "✗ rejected" in row_of(app, "400")
        assert "bad [hash]" in app.text

    look(Checkpoints, Feed.of(layout), check)


def test_the_result_comes_with_the_line_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.7 22")
    layout = record_run(tmp_path, "run", end="stopped")
    (layout.root / "final.zip").write_bytes(bytes(2_000_000))

    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        assert "✓ final/ 44 MB, partial: step 400   final.zip 2.0 MB" in app.text
        line = f"@10.0.0.7:{layout.root}/final.zip"
        assert line in "".join(app.text.replace("┃", "").split())
        await pilot.press("tab", "c")
        assert line in app.clipboard

    look(Checkpoints, Feed.of(layout), check, size=(110, 20))


def test_before_there_is_a_result_nothing_is_copied_and_why_is_said(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        await pilot.press("tab", "c")
        assert app.clipboard == ""
        assert app.notices == [
            "There is no result yet: final/ is written at the end, or by x stop."
        ]

    look(Checkpoints, Feed.of(record_run(tmp_path, "run")), check)


def test_of_thousands_of_pruned_checkpoints_the_newest_are_shown_and_all_kept_ones():
    state = RunState()
    for step in range(1, 5_001):
        status = "published" if step in (1, 4_999) else "pruned"
        state.checkpoints[step] = Checkpoint(step=step, path="", status=status)
    shown = [it.step for it in shown_checkpoints(state)]
    assert shown[:3] == [5_000, 4_999, 4_998]
    assert shown[-1] == 1
    assert len(shown) == 102


def test_a_run_without_checkpoints_says_so(tmp_path: Path):
    async def check(pilot: Pilot[None], app: PaneApp) -> None:
        assert "no checkpoint yet" in app.text
        await pilot.press("tab", "enter")
        assert app.notices == []

    look(Checkpoints, Feed.of(record_run(tmp_path, "run", end="starting")), check)
