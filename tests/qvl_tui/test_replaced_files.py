"""A file of a run that is replaced, cut or no file any more is told, and read again once it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from tests.qvl_tui.fuzz.scenes import File, How, Write
from tests.qvl_tui.fuzz.theatre import do
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW
from trainer.run.layout import RunLayout

STEPS = 30
TOLD = {"folder": "is no regular file", "nowhere": "", "half": "", "anew": "", "gone": ""}


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[RunLayout]:
    """A run that lives."""
    layout = record_run(tmp_path / "runs", "changing", steps=STEPS)
    with live(layout):
        yield layout
        do(Write(0, "owner", "gone", ()), layout)


@pytest.mark.parametrize("how", TOLD)
@pytest.mark.parametrize("file", [it for it in get_args(File) if it != "owner"])
def test_a_file_that_is_replaced_is_told_and_read_again_once_it_is_back(
    file: File, how: How, layout: RunLayout
):
    before: bytes = getattr(layout, file).read_bytes() if file not in ("about", "data") else b"{}"
    with Player(Desk(layout.root.parent, now=lambda: NOW), size=(160, 48)) as player:
        player.post(OpenRun(layout))
        player.wait(2)
        assert f"{STEPS}/600" in player.picture()
        do(Write(0, file, how, ()), layout)
        for pane in "12345678":
            player.press(pane)
            player.wait(1)
        if file in ("events", "monitor", "telemetry") and TOLD[how]:
            assert f"cannot be read: {file}.jsonl {TOLD[how]}" in player.picture()
        do(Write(0, file, "anew", (before,)), layout)
        player.wait(6)
        assert "cannot be read" not in player.picture()
        assert f"{STEPS}/600" in player.picture()
        player.look()
