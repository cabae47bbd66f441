"""Sample GPU and host at a fixed interval, beside the supervisor's own loop."""

import queue
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from trainer.run.events import Telemetry
from trainer.supervisor.gpu import Gpus, visible_from_environment


class Sampler:
    """A thread that samples; NVML can hang for long when a GPU is lost, so nobody waits for it."""

    def __init__(
        self, folder: Path, interval_seconds: float, pids: Callable[[], Iterable[int]]
    ) -> None:
        self._folder = folder
        self._interval_seconds = interval_seconds
        self._pids = pids
        self._samples: queue.SimpleQueue[Telemetry] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, or leave it behind when it hangs in the driver."""
        self._stopped.set()
        self._thread.join(timeout=1.0)

    def take(self) -> list[Telemetry]:
        """Return the samples since the last call."""
        return [self._samples.get_nowait() for _ in range(self._samples.qsize())]

    def _work(self) -> None:
        gpus = Gpus(visible_from_environment())
        psutil.cpu_percent()  # the first call only sets the mark that the next one counts from
        while not self._stopped.wait(self._interval_seconds):
            self._samples.put(sample(gpus, self._folder, self._pids()))
        gpus.close()


def sample(gpus: Gpus, folder: Path, pids: Iterable[int]) -> Telemetry:
    """Return GPU and host now; `folder` says whose disk, `pids` whose memory is the trainer's."""
    memory = psutil.virtual_memory()
    disk_free, disk_total = disk_space(folder)
    return Telemetry(
        gpus=gpus.sample(),
        gpu_note=gpus.note,
        cpu_share=psutil.cpu_percent() / 100,
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
        trainer_memory_bytes=resident_bytes(pids),
        disk_free_bytes=disk_free,
        disk_total_bytes=disk_total,
    )


def disk_space(folder: Path) -> tuple[int | None, int | None]:
    """Return the free bytes that this user may write, and the total, of a folder's disk."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return usage.free, usage.total


def resident_bytes(pids: Iterable[int]) -> int | None:
    """Return the resident memory of processes and all they started, None when none runs."""
    total: int | None = None
    for pid in pids:
        for process in _family(pid):
            try:
                total = (total or 0) + process.memory_info().rss
            except psutil.Error:
                continue  # it ended meanwhile
    return total


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []
