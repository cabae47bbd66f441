"""Every screen in its states looks as it did: SVG pictures at three sizes.

After a change that is meant: `pytest tests/qvl_tui/test_snapshots.py --snapshot-update`, then look
at the pictures that changed.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.image import SVGImageSnapshotExtension
from textual.widgets import Input

from tests.qvl_tui.pictures import draw, record_all
from tests.qvl_tui.stops import RUNGS, record_stops

SIZES = ((80, 24), (120, 40), (200, 60))
SCENES: dict[str, tuple[str, ...]] = {
    "runs": (),
    "runs-filtered": ("slash", *"state:failed"),
    "runs-wrong-filter": ("slash", *"lss<1"),
    "runs-delete": ("down", "down", "d"),
    "run-live": ("down", "enter"),
    "run-starting": ("enter",),
    "run-failed": ("down", "down", "enter"),
    "run-cursor": ("down", "enter", "left", "left", "left", "y"),
    "run-one-chart": ("down", "enter", "enter"),
    "run-system": ("down", "enter", "2", "f"),
    "run-samples": ("down", "enter", "3", "f"),
    "run-log": ("down", "enter", "4", "f"),
    "run-checkpoints": ("down", "enter", "5", "f"),
    "run-config": ("down", "enter", "6", "f"),
    "run-alerts": ("down", "enter", "7", "f"),
    "run-skipped": ("down", "enter", "8", "f"),
    "stop": ("down", "enter", "x"),
    "compare": ("down", "space", "down", "down", "space", "c"),
    "compare-numbers": ("down", "space", "down", "down", "space", "c", "2", "f"),
    "compare-options": ("down", "space", "down", "down", "space", "c", "3", "f"),
    "help": ("down", "enter", "question_mark"),
    "palette": ("down", "enter", "ctrl+p"),
    "palette-searched": ("down", "enter", "ctrl+p", *"theme"),
    "note": ("down", "N"),
    "name": ("down", "R"),
    "new-run": ("down", "e"),
    "new-run-empty": ("n",),
    "new-run-configuration": ("down", "e", "f7"),
    "new-run-preflight": ("down", "e", "f6"),
    "new-run-browse": ("down", "e", "ctrl+o"),
    "new-run-presets": ("down", "e", "f3"),
    "new-run-gpu": ("down", "e", "f4"),
    "new-run-save": ("down", "e", "f2"),
    "new-run-left": ("down", "e", "ctrl+r", "escape"),
    "log-search": ("down", "enter", "4", "f", "slash", *"checkpoint"),
    "chart-filter": ("down", "enter", "slash", *"loss|gpu"),
    "config-search": ("down", "enter", "6", "f", "slash", *"rate"),
}


@pytest.fixture(scope="module")
def runs() -> Iterator[Path]:
    """The recorded runs, in a folder whose path has the same length every time."""
    folder = Path(tempfile.mkdtemp(prefix="qvl-", dir="/tmp"))
    with record_all(folder / "runs"), record_stops(folder / "stops"):
        yield folder / "runs"
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def steady_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cursor in sight: it blinks by the clock."""
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _self: None)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES)
def test_the_screen_looks_as_it_did(
    scene: str, size: tuple[int, int], runs: Path, snapshot: SnapshotAssertion
):
    picture = draw(runs, scene, SCENES[scene], size)
    assert without_chance(picture, runs) == snapshot(extension_class=SVGImageSnapshotExtension)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [("enter", "x"), ("enter", "x", "N")], ids=["stop", "now"])
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_of_a_stop_looks_as_it_did(
    rung: str,
    keys: tuple[str, ...],
    size: tuple[int, int],
    runs: Path,
    snapshot: SnapshotAssertion,
):
    picture = draw(runs.parent / "stops" / rung, rung, keys, size)
    assert without_chance(picture, runs) == snapshot(extension_class=SVGImageSnapshotExtension)


def without_chance(picture: str, runs: Path) -> str:
    """Return a picture without what differs from one recording to the next."""
    name = runs.parent.name
    picture = picture.replace(name, "qvl-00000000")
    # A column or a dialog may break the path inside the name; shorter rests could be numbers.
    for cut in range(1, len(name) - 2):
        known = "qvl-00000000"
        picture = picture.replace(f"{name[:cut]}<", f"{known[:cut]}<")
        picture = re.sub(rf"(?<=[>;]){re.escape(name[cut:])}(?=/)", known[cut:], picture)
    # The identifiers in it are a checksum over the content with the folder's true name.
    return re.sub(r"terminal-\d+", "terminal", picture)
