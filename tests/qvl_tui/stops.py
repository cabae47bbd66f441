"""Runs that are being stopped, one for each rung of the ladder."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW
from trainer.run.codec import encode
from trainer.run.events import (
    AnyEvent,
    CheckpointFailed,
    CheckpointPublished,
    CommandReceived,
    Phase,
    StopRung,
)

RECEIVED = CommandReceived(id="1", command="stop", accepted=True)
ASKED = StopRung(rung="asked", reason="a person asked for it", next_seconds=120.0)
FORCED = StopRung(rung="sigterm", reason="it did not end in 2 m 00 s", next_seconds=30.0)
SAVED = CheckpointPublished(
    step=391,
    path="checkpoints/step-00000391",
    bytes=43_200_000,
    seconds=0.62,
    reason="stop",
)
WRITING = Phase(name="save", state="progress", done=3, total=9, unit="files")
FULL = CheckpointFailed(step=391, reason="no space left on /runs; free 43 MB")
RUNGS: dict[str, tuple[Sequence[AnyEvent], Sequence[AnyEvent]]] = {  # of the trainer, the monitor
    "asked": ((), (RECEIVED, ASKED)),
    "saved": ((SAVED, WRITING), (RECEIVED, ASKED)),
    "forced": ((FULL,), (RECEIVED, ASKED, FORCED)),
}


def record_stops(folder: Path) -> ExitStack:
    """Record a folder of runs for each rung; its run lives until the stack is closed."""
    stack = ExitStack()
    for rung, (of_trainer, of_monitor) in RUNGS.items():
        layout = record_run(folder / rung, "shapes-lora", steps=390, total=600)
        for path, said in ((layout.events, of_trainer), (layout.monitor, of_monitor)):
            with path.open("ab") as file:
                for seq, event in enumerate(said, 10**6):
                    file.write(encode(replace(event, attempt=1, time=NOW - 3, seq=seq)))
        stack.enter_context(live(layout, host="box"))
    return stack
