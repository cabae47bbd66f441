"""What the files of a run add up to, bite by bite."""

from typing import TypeGuard

from trainer.run.blocks import Decoded, DecodedLines
from trainer.run.columns import StepRows, TelemetryRows
from trainer.run.events import AnyEvent, Phase, Step, Telemetry
from trainer.run.files import BITE_BYTES, TELEMETRY_BYTES, Bite, RunFiles
from trainer.run.layout import RunLayout
from trainer.run.state import RunState


class RunReader:
    """The state of one run, from its files.

    `read` may be called in a thread while nobody calls anything else; `apply` belongs to those
    who look at `state`.
    """

    def __init__(
        self, layout: RunLayout, *, telemetry_bytes: int = TELEMETRY_BYTES, past_samples: int = 0
    ) -> None:
        """Begin with nothing read; the last bytes of telemetry will be, and samples before."""
        self.state = RunState()  # another one once a file was replaced or truncated
        self.files = RunFiles(layout, telemetry_bytes, past_samples)

    @property
    def caught_up(self) -> bool:
        """Whether the last bite reached the end of all files."""
        return self.files.caught_up

    @property
    def share(self) -> float:
        """Bytes read of the bytes that are there, 0 to 1."""
        return self.files.share

    def read(self, max_bytes: int = BITE_BYTES, *, complete: bool = False) -> Bite:
        """Read and decode about `max_bytes`; with `complete`, the run is dead, torn lines too.

        Raises:
            OSError: A file is there and cannot be read.

        """
        return self.files.read(max_bytes, complete=complete)

    def apply(self, bite: Bite) -> list[AnyEvent]:
        """Add what was read to the state; return the events that are worth a line in a log."""
        if bite.restarted:
            self.state = RunState()
        for part in bite.parts:
            apply_decoded(self.state, part)
        self.state.broken_lines += bite.long_lines
        return [it for part in bite.parts for it in part.items if _is_worth_a_line(it)]


def apply_decoded(state: RunState, part: DecodedLines) -> None:
    """Add decoded lines to a state."""
    for item in part.items:
        if isinstance(item, StepRows | TelemetryRows):
            state.apply_rows(item)
        else:
            state.apply(item)
    state.broken_lines += part.broken_lines
    state.unknown_types += part.unknown_types


def _is_worth_a_line(item: Decoded) -> TypeGuard[AnyEvent]:
    if isinstance(item, Phase):
        return item.state != "progress"
    return not isinstance(item, Step | Telemetry | StepRows | TelemetryRows)
