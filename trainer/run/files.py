"""Read and decode the lines of a run's files, bite by bite."""

from dataclasses import dataclass

from trainer.run.blocks import DecodedLines, decode_lines
from trainer.run.layout import RunLayout
from trainer.run.moving_tail import MovingTail
from trainer.run.regular import file_size
from trainer.run.spread import spread_lines
from trainer.run.tail import Tail

BITE_BYTES = 2**20
TELEMETRY_BYTES = 4 * 2**20  # of the past that are read whole; two hours of one GPU
PAST_SAMPLES = 500  # of all telemetry before that
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


class RunFiles:
    """All of events.jsonl and monitor.jsonl and the newest telemetry of a run, as they grow.

    Of the telemetry before that there are some samples, spread evenly over it. It can be pickled,
    and goes on in another process where it was.
    """

    def __init__(
        self, layout: RunLayout, telemetry_bytes: int = TELEMETRY_BYTES, past_samples: int = 0
    ) -> None:
        """Begin with nothing read; the last bytes of telemetry will be, and samples before."""
        self.caught_up = False  # whether the last bite reached the end of all files
        self.share = 0.0  # bytes read of the bytes that are there
        self._layout = layout
        self._telemetry_bytes = telemetry_bytes
        self._past_samples = past_samples
        self._lost = False  # whether lines were read that nobody got
        self._rewind()

    def _rewind(self) -> None:
        self._trainer = Tail(self._layout.events)
        self._monitor = MovingTail(self._layout.monitor, self._layout.monitor_before)
        past = max(file_size(self._layout.telemetry) - self._telemetry_bytes, 0)
        self._telemetry = Tail(self._layout.telemetry, start=past)
        self._telemetry_start = past
        self._past_is_read = False

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
        monitor, telemetry, trainer = lines
        return [monitor, self._past_telemetry() + telemetry, trainer]

    def _past_telemetry(self) -> list[bytes]:
        """Return, once, samples of the telemetry of which not every line is read."""
        if self._past_is_read or not self._past_samples:
            return []
        before = self._layout.telemetry_before
        spans = [(before, file_size(before)), (self._layout.telemetry, self._telemetry_start)]
        samples = spread_lines(spans, self._past_samples)
        self._past_is_read = True
        return samples

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
