"""Draw the pictures of the documents: `python -m tests.qvl_tui.pictures` writes docs/pictures/."""

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from qvl_tui.desk import Desk
from tests.qvl_tui.fixed_machine import files_of_a_run, fixed_machine
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
HOME = "/home/ada/qvl-42"  # stands for the temporary folder, whose name is as long
SIZE = (120, 40)
REST_SECONDS = 2.5  # of the player's clock: charts are drawn every two
PICTURES: dict[str, tuple[str, ...]] = {
    "runs": (),
    "run": ("down", "enter"),
    "new-run": ("down", "e"),
    "compare": ("down", "space", "down", "down", "space", "down", "space", "c"),
    "stop": ("down", "x"),
}


def record_all(runs: Path) -> ExitStack:
    """Record the runs of the pictures; those that live do so until the stack is closed."""
    record_run(
        runs, "bbu-stage1", steps=1000, total=1000, end="finished", floor=0.5,
        ended_ago_seconds=26 * 3600, overrides=("tune.aligner=lora", "tune.language=frozen"),
    )  # fmt: skip
    record_run(runs, "bbu-stage2", steps=820, total=2000, end="failed", ended_ago_seconds=10_800)
    record_run(
        runs, "shapes-rank-64", steps=900, total=900, end="finished", rank=64, floor=0.2,
        learning_rate=1e-4, ended_ago_seconds=5 * 3600,
    )  # fmt: skip
    record_run(runs, "thinking-a", steps=410, total=3345, end="stopped", ended_ago_seconds=1e5)
    stack = ExitStack()
    live_run = record_run(
        runs, "shapes-lora", steps=1498, total=3345, resumed_at=600,
        overrides=files_of_a_run(runs.parent),
    )  # fmt: skip
    stack.enter_context(live(live_run, 2, host="box"))
    stack.enter_context(live(record_run(runs, "receipts", end="starting"), host="box"))
    return stack


def draw(runs: Path, name: str, keys: tuple[str, ...], size: tuple[int, int] = SIZE) -> str:
    """Return the SVG of the screen after some keys, each pressed when it has come to rest."""
    with fixed_machine(), Player(Desk(runs, now=lambda: NOW), size=size) as player:
        player.wait(REST_SECONDS)
        for key in keys:
            player.press(key)
            player.wait(REST_SECONDS)
        return player.svg(f"qvl: {name}")


def main() -> None:
    """Write every picture, in the colours of a terminal that has them all."""
    os.environ |= {"TZ": "UTC", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        with record_all(runs):
            for name, keys in PICTURES.items():
                picture = draw(runs, name, keys)
                (FOLDER / f"{name}.svg").write_text(picture.replace(folder, HOME))


if __name__ == "__main__":
    main()
