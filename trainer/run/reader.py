"""Read the files of a run into its state, bite by bite."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from trainer.run.blocks import Decoded, DecodedLines, decode_lines
from trainer.run.columns import StepRows, TelemetryRows
from trainer.run.events import AnyEvent, Phase, Step, Telemetry
from trainer.run.layout import RunLayout
from trainer.run.state import RunState
from trainer.run.tail import Tail

BITE_BYTES = 2**20
TELEMETRY_BYTES = 4 * 2**20  # of the past; some hours of one GPU
TELEMETRY_SHARE = 4  # a bite is a quarter telemetry until that is read


@dataclass(frozen=True)
class Bite:
    """Some lines of the files of a run, decoded."""

    parts: tuple[DecodedLines, ...]
    long_lines: int  # that were left out
    restarted: bool  # a file was replaced or truncated, so these are the first lines again

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self.restarted or self.long_lines > 0 or any(self.parts)


class RunReader:
    """The state of one run, from all of events.jsonl and monitor.jsonl and the newest telemetry.

    `read` may be called in a thread while nobody calls anything else; `apply` belongs to those
    who look at `state`.
    """

    def __init__(self, layout: RunLayout, *, telemetry_bytes: int = TELEMETRY_BYTES) -> None:
        """Begin with nothing read; of the telemetry of the past only the last bytes will be."""
        self.state = RunState()  # another one once a file was replaced or truncated
        self.caught_up = False  # whether the last bite reached the end of all files
        self.share = 0.0  # bytes read of the bytes that are there
        self._layout = layout
        self._telemetry_bytes = telemetry_bytes
        self._lost = False  # whether lines were read that nobody got
        self._rewind()

    def _rewind(self) -> None:
        self._trainer, self._monitor = Tail(self._layout.events), Tail(self._layout.monitor)
        past = max(file_size(self._layout.telemetry) - self._telemetry_bytes, 0)
        self._telemetry = Tail(self._layout.telemetry, start=past)
        self._telemetry_start = past

    def read(self, max_bytes: int = BITE_BYTES, *, complete: bool = False) -> Bite:
        """Read and decode about `max_bytes`; with `complete`, the run is dead, torn lines too.

        Raises:
            OSError: A file is there and cannot be read.

        """
        try:
            lines = self._read_files(max_bytes, complete=complete)
        except OSError:
            self._lost = True  # lines of the files before the one that cannot be read
            raise
        # Telemetry is rotated: another file there goes on where the last one ended.
        restarted = self._trainer.restarted or self._monitor.restarted or self._lost
        if restarted:
            self._rewind()
            lines = self._read_files(max_bytes, complete=complete)
            self._lost = False
        parts = tuple(decode_lines(some) for some in lines)
        return Bite(parts, self._take_long_lines(), restarted)

    def apply(self, bite: Bite) -> list[AnyEvent]:
        """Add what was read to the state; return the events that are worth a line in a log."""
        if bite.restarted:
            self.state = RunState()
        for part in bite.parts:
            apply_decoded(self.state, part)
        self.state.broken_lines += bite.long_lines
        return [it for part in bite.parts for it in part.items if _is_worth_a_line(it)]

    def _read_files(self, max_bytes: int, *, complete: bool) -> list[list[bytes]]:
        """Return the next lines of each file, the life cycle first."""
        shares = (
            (self._monitor, max_bytes),
            (self._telemetry, max(max_bytes // TELEMETRY_SHARE, 1)),
            (self._trainer, max_bytes),
        )
        lines: list[list[bytes]] = []
        for tail, share in shares:
            before = tail.offset
            lines.append(tail.read(max_bytes=min(share, max_bytes), complete=complete))
            max_bytes = max(max_bytes - max(tail.offset - before, 0), 1)
        self._note_progress()
        return lines

    def _note_progress(self) -> None:
        tails = (self._trainer, self._monitor, self._telemetry)
        self.caught_up = all(tail.at_end for tail in tails)
        if self._telemetry.restarted:
            self._telemetry_start = 0
        there = sum(tail.size for tail in tails) - self._telemetry_start
        read = sum(tail.offset for tail in tails) - self._telemetry_start
        self.share = 1.0 if self.caught_up else min(max(read / there, 0.0), 1.0)

    def _take_long_lines(self) -> int:
        tails = (self._trainer, self._monitor, self._telemetry)
        count = sum(tail.long_lines for tail in tails)
        for tail in tails:
            tail.long_lines = 0
        return count


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


def file_size(path: Path) -> int:
    """Return the bytes of a file; 0 when it is not there or not to be reached."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
