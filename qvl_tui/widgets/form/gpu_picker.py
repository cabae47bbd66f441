"""Choose the GPU of a run, seeing which are free."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from qvl_tui.widgets.form.gpu_use import GpuUse, gpu_use, is_free
from qvl_tui.widgets.form.picker import Picker, Row, holds_all
from trainer.run.events import GpuSample
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN, size

LONGEST_NAME = 40
WORDS = {True: "○ free", False: "● in use", None: UNKNOWN}


class GpuPicker(Picker[GpuSample | None, GpuSample | str]):
    """Returns the GPU, or `""` for whichever comes first."""

    def __init__(self, runs: Path) -> None:
        super().__init__("GPU of the run", "type to filter")
        self._runs = runs
        self._use: GpuUse | None = None

    async def matching(self, text: str) -> Sequence[Row[GpuSample | None]]:
        """Return the GPUs with what they do."""
        if self._use is None:
            self._use = await asyncio.to_thread(gpu_use, self._runs)
        use = self._use
        if not use.samples:
            return [Row(Text(f"the CPU: a GPU is {use.note}"), None)]
        lines = [(gpu_line(it, use.holders.get(it.uuid, "")), it) for it in use.samples]
        return [
            Row(Text("the first that may be used"), None),
            *(Row(line, it) for line, it in lines if holds_all(line.plain, text)),
        ]

    async def take(self, value: GpuSample | None) -> None:
        """Return it."""
        self.dismiss(value or "")


def gpu_line(sample: GpuSample, run: str) -> Text:
    """Return what a GPU is and does, in one line."""
    used, total = size(sample.memory_used_bytes), size(sample.memory_total_bytes)
    load = UNKNOWN if sample.utilization is None else f"{sample.utilization:.0%}"
    held = f"  by {sanitise(run, LONGEST_NAME)}" if run else ""
    name = sanitise(sample.name, LONGEST_NAME).removeprefix("NVIDIA ").removeprefix("GeForce ")
    return Text(
        f"GPU{sample.index} {name:18} {WORDS[is_free(sample)]:9}"
        f"{used:>7} of {total:>6}  load {load:>4}{held}"
    )
