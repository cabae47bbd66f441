"""Move runs to the trash folder, and say what that means before and after."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App

from qvl_tui.actions import run_qvl
from qvl_tui.desk import Desk
from qvl_tui.listing import disk_of
from qvl_tui.run_line import Disk, RunLine
from qvl_tui.screens.confirm import ConfirmScreen
from trainer.run.text import sanitise
from trainer.run.trash import TRASH_NAME
from trainer.words.numbers import count, size

PATH_CHARACTERS = 1_000
NAMED_RUNS = 8  # in the question


def what_is_lost(
    lines: Sequence[RunLine], disks: Sequence[Disk], runs: Path
) -> tuple[str, list[str]]:
    """Return the question and what a yes takes away."""
    names = [line.name for line in lines]
    question = f"Delete {names[0]}?" if len(names) == 1 else f"Delete {len(names)} runs?"
    told = [
        f"{line.name}: {line.state} at step {count(line.step)}, {_checkpoints(disk.checkpoints)}, "
        f"{size(disk.bytes)}"
        for line, disk in zip(lines, disks, strict=True)
    ]
    if len(told) > NAMED_RUNS:
        total = sum(disk.bytes for disk in disks)
        told = [*told[:NAMED_RUNS], f"and {len(told) - NAMED_RUNS} more; {size(total)} in all"]
    trash = sanitise(str(runs / TRASH_NAME), PATH_CHARACTERS)
    where = f"To {trash}: move a folder back from there to have it again."
    return question, [*told, "", where, "The space is free once you empty that folder."]


def _checkpoints(number: int) -> str:
    return f"{number} checkpoint{'' if number == 1 else 's'}"


async def ask_and_delete(app: App[Any], desk: Desk, lines: Sequence[RunLine]) -> bool:
    """Ask, then move runs away; whether somebody said yes. Runs in a worker."""
    if not lines:
        return False
    disks = await asyncio.to_thread(lambda: [disk_of(line.layout) for line in lines])
    question, consequences = what_is_lost(lines, disks, desk.runs)
    if not await app.push_screen_wait(ConfirmScreen(question, consequences, "delete")):
        return False
    await _delete(app, desk, lines)
    return True


async def _delete(app: App[Any], desk: Desk, lines: Sequence[RunLine]) -> None:
    """Delete one run after the other and say which went, where, and which did not."""
    gone: list[str] = []
    for line in lines:
        outcome = await run_qvl("delete", line.layout.name, "--json", runs=desk.runs)
        if outcome.done:
            gone.append(f"{line.name} is deleted; to bring it back:\n{outcome.value['restore']}")
        else:
            complaint = outcome.message or f"qvl delete ended with {outcome.code}"
            app.notify(complaint, severity="error", markup=False, timeout=15)
    if len(gone) > 1:
        trash = sanitise(str(desk.runs / TRASH_NAME), PATH_CHARACTERS)
        gone = [f"{len(gone)} runs are deleted; they lie in {trash}"]
    for told in gone:
        app.notify(sanitise(told, None, keep_newlines=True), markup=False, timeout=15)
