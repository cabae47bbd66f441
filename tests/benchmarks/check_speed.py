"""How fast all records of a data set are checked, and how much memory that takes.

`python -m tests.benchmarks.check_speed [RECORDS] [inside|files]`: pictures of 50 KB as base64
inside their records, or as files beside them. The checkpoint's own tokenizer counts; of pictures
only headers and ends are looked at. The data and the cache are removed afterwards.
"""

import base64
import io
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from trainer.check.checking import Manner, check_records
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.data.index import index_file

PICTURE_BYTES = 50_000
MEGABYTE = 10**6


def a_picture() -> bytes:
    """A JPEG of about 50 KB."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    for quality in range(95, 5, -5):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= PICTURE_BYTES:
            break
    return buffer.getvalue()


def write_records(folder: Path, records: int, *, inside: bool) -> Path:
    """A data file whose pictures differ in their last bytes."""
    picture = a_picture()
    path = folder / "train.jsonl"
    with path.open("w") as file:
        for number in range(records):
            varied = picture[:-10] + f"{number:08}".encode() + b"\xff\xd9"
            reference = f"pictures/{number % 100}/{number}.jpg"
            if inside:
                reference = "data:image/jpeg;base64," + base64.b64encode(varied).decode()
            else:
                target = folder / reference
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(varied)
            image = {"type": "image", "image": reference}
            question = {"type": "text", "text": f"Question {number}: what do you see, and where?"}
            answer = f"A picture of noise, the {number}th of them. " * 5
            turn = {"role": "user", "content": [image, question]}
            file.write(json.dumps({"messages": [turn], "response": answer}) + "\n")
    return path


class Memory(threading.Thread):
    """Watches the memory of this process and its children, in bytes that they share with no one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[int] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Take a sample now and then."""
        while not self._over.wait(0.5):
            self.samples.append(self.now())

    @staticmethod
    def now() -> int:
        """The memory at this moment."""
        me = psutil.Process()
        total = 0
        for process in (me, *me.children(recursive=True)):
            try:
                total += process.memory_full_info().uss
            except psutil.Error:
                continue
        return total

    def stop(self) -> None:
        """End the watching."""
        self._over.set()
        self.join()


def processor_seconds() -> float:
    """What this process and its children have used: other programs do not count."""
    me = psutil.Process()
    times = [it.cpu_times() for it in (me, *me.children(recursive=True))]
    return sum(it.user + it.system for it in times)


def measure(config: RunConfig, records: int, label: str) -> None:
    """Check once and say how fast and with how much memory."""
    memory = Memory()
    started = time.perf_counter()
    marks: list[tuple[int, float, float]] = []  # records, seconds, seconds of processors

    def progress(done: int, _: int) -> None:
        if not marks:
            memory.start()
        marks.append((done, time.perf_counter(), processor_seconds()))

    checked = check_records(config, Manner(workers=2), progress)
    seconds = time.perf_counter() - started
    memory.stop()
    growth = (max(memory.samples) - memory.samples[0]) / MEGABYTE if memory.samples else 0
    peak = max(memory.samples, default=0) / MEGABYTE
    tally = checked.tallies["train"]
    assert tally.usable == records, tally.sorted_kinds()
    assert tally.count("error") == tally.count("warning") == 0, tally.sorted_kinds()
    rate, busy = ((marks[-1][0] - marks[0][0]) / (marks[-1][it] - marks[0][it]) for it in (1, 2))
    print(
        f"{label}: {seconds:.1f} s, {records / seconds:,.0f} records/s; after the first shard "
        f"{rate:,.0f} records/s, {busy:,.0f} a second of one processor; "
        f"memory at most {peak:.0f} MB, {growth:+.0f} MB after the first shard",
        flush=True,
    )


def main() -> None:
    """Write the data, index it, check it twice."""
    from trainer.demo.tiny import build_tiny_checkpoint  # torch: not for the processes

    records = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    inside = "files" not in sys.argv
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = build_tiny_checkpoint(folder / "model")
        data = write_records(folder, records, inside=inside)
        cache = folder / "cache"
        started = time.perf_counter()
        index_file(data, cache_dir=cache)
        indexed = time.perf_counter() - started
        place = "inside" if inside else "as files"
        size = data.stat().st_size / MEGABYTE
        print(f"pictures {place}, {size:,.0f} MB of JSONL: index {indexed:.1f} s")
        config = load_config(
            "balanced",
            [f"model.path={checkpoint}", f"data.train={data}", f"data.cache_dir={cache}"],
        )
        measure(config, records, "first time")
        measure(config, records, "again, from the cache")


if __name__ == "__main__":
    main()
