"""The files through which the processes of a measurement agree on what is trained."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Windows = list[list[int]]  # the samples of each optimizer step


@dataclass(frozen=True)
class BenchFiles:
    """A folder that all processes of one measurement share."""

    root: Path

    @property
    def config(self) -> Path:
        """The complete configuration."""
        return self.root / "config.yaml"

    @property
    def model(self) -> Path:
        """The checkpoint that was built for the measurement, where there was none."""
        return self.root / "model"

    @property
    def data(self) -> Path:
        """The records that were written for the measurement, where there were none."""
        return self.root / "train.jsonl"

    @property
    def adapter(self) -> Path:
        """The LoRA factors that everybody starts from."""
        return self.root / "adapter"

    @property
    def rows(self) -> Path:
        """The records as others read them."""
        return self.root / "rows"

    def run(self, role: str) -> Path:
        """Return a run directory for one process."""
        return self.root / f"run-{role}"

    def write_windows(self, windows: Sequence[Sequence[int]]) -> None:
        """Write down which samples make which step."""
        (self.root / "windows.json").write_text(json.dumps(windows))

    def read_windows(self) -> Windows:
        """Return what `write_windows` wrote."""
        return json.loads((self.root / "windows.json").read_text())
