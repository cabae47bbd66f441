"""Announce a phase, its progress and its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trainer.run.events import Phase, PhaseName
from trainer.train.recorder import Recorder


@dataclass
class phase:  # noqa: N801
    """A context that writes a phase's start, its progress once a second, and its end."""

    recorder: Recorder
    name: PhaseName
    total: int | None = None
    unit: str = ""
    detail: str = ""

    def __enter__(self) -> Callable[[int, int], None]:
        """Start; the returned function takes how much is done, and of how much."""
        self._started = self._reported = time.monotonic()
        self._write("started")
        return self._report

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """End, unless by an error."""
        if error is None:
            self._write("finished", seconds=time.monotonic() - self._started)

    def _report(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._reported >= 1.0:
            self._reported, self.total = now, total
            self._write("progress", done=done)

    def _write(self, state: str, **fields: float) -> None:
        self.recorder.write(
            Phase(
                name=self.name,
                state=state,  # pyright: ignore
                total=self.total,
                unit=self.unit,
                detail=self.detail,
                **fields,  # pyright: ignore
            )
        )
