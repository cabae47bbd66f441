"""Measure the index of a 2 GB JSONL file: speed, memory, and the second start.

Run it as `python tests/benchmarks/index_speed.py [folder]`; the folder needs 2.2 GB.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from trainer.data.index import FileIndex, index_file

RECORDS = 20_000
IMAGE_CHARACTERS = 107_000


def write_records(path: Path) -> None:
    """Write records with base64 images, 2.1 GB in all."""
    image = "A" * IMAGE_CHARACTERS
    content = f'[{{"type":"image","image":"data:image/jpeg;base64,{image}"}}]'
    with path.open("w") as file:
        for number in range(RECORDS):
            messages = f'[{{"role":"user","content":{content}}}]'
            file.write(f'{{"messages":{messages},"response":"{number}"}}\n')


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """Samples resident memory in a thread: the peak of one stretch, not of the whole process."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self.start_bytes = self.peak_bytes = resident_bytes()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.peak_bytes = max(self.peak_bytes, resident_bytes())

    def growth_megabytes(self) -> float:
        """Stop, and return by how much memory grew at most."""
        self._done.set()
        self._thread.join()
        return (self.peak_bytes - self.start_bytes) / 1e6


def read_once(path: Path) -> None:
    """Bring the file into the page cache."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(2**22)
        while file.readinto(buffer):
            pass


def timed(path: Path, cache: Path) -> tuple[FileIndex, float, float]:
    """Index a file; return the index, seconds, and the growth of memory in MB."""
    memory = PeakMemory()
    started = time.perf_counter()
    index = index_file(path, cache_dir=cache)
    seconds = time.perf_counter() - started
    return index, seconds, memory.growth_megabytes()


def main(folder: str | None) -> None:
    """Print the measurements."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "records.jsonl"
        write_records(path)
        read_once(path)
        megabytes = path.stat().st_size / 1e6
        for attempt in range(3):
            index, seconds, growth = timed(path, Path(temporary) / f"cache{attempt}")
            print(
                f"{megabytes:.0f} MB, {index.records} records: {megabytes / seconds:.0f} MB/s, "
                f"memory +{growth:.0f} MB"
            )
        index, seconds, _ = timed(path, Path(temporary) / "cache0")
        print(f"second start: {seconds * 1000:.1f} ms, cached: {index.cached}")
        memory = PeakMemory()
        started = time.perf_counter()
        for record in range(0, index.records, 20):
            index.read(record)
        seconds = (time.perf_counter() - started) / (index.records / 20)
        print(f"a record: {seconds * 1e6:.0f} us, memory +{memory.growth_megabytes():.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
